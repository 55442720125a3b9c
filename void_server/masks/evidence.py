"""What a model that is asked about a shot gets to see: stills under a numbered grid, the object in red, a video."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from void_server.masks.quadmask import BadMask
from void_server.plates.video import Picture, write_mp4

STILLS = 10
KIB = 1024
# Eleven stills and the video are at most 10 MiB, or 13.3 MiB in base64: less than the 20 MB a request may have.
STILL_BYTES = 512 * KIB
VIDEO_BYTES = 4608 * KIB

# Long sides in pixels. Smaller pictures are enlarged, or the grid's numbers would not fit into its cells.
_STILL_SIDES = (640, 1024)
_VIDEO_SIDE = 512
_VIDEO_RATE = 24
_VIDEO_FRAMES = 480
_STILL_QUALITIES = (90, 75, 60)
_VIDEO_QUALITIES = (23, 28, 33)  # x264's constant rate factor: more is coarser

# Around the picture: a strip with the grid's numbers on every side, and above it a line that names the frame.
MARGIN = 28
HEADER = 26
_PAPER, _INK = (0, 0, 0), (255, 255, 255)
_RED = np.array([255, 0, 0], np.float32)


@dataclass(frozen=True)
class Still:
    """One frame of the shot, by its number, as JPEG."""

    frame: int
    jpeg: bytes = field(repr=False)


@dataclass(frozen=True)
class Video:
    """The shot as an H.264 mp4 at `rate` frames a second. frames: the number in the shot of each of its pictures."""

    mp4: bytes = field(repr=False)
    frames: Sequence[int]
    rate: float


@dataclass(frozen=True)
class Evidence:
    """All pictures of a question. appearance: the first frame on which the object is seen, with it tinted red."""

    stills: tuple[Still, ...]
    appearance: Still
    video: Video

    @property
    def size(self) -> int:
        """Bytes of all pictures together."""
        return sum(len(still.jpeg) for still in (*self.stills, self.appearance)) + len(self.video.mp4)

    def describe(self) -> str:
        """What there is, for logs."""
        return (
            f"{len(self.stills) + 1} stills and a video of {len(self.video.frames)} frames "
            f"({len(self.video.mp4) / KIB:.0f} KiB), {self.size / KIB:.0f} KiB in all"
        )


def gather_evidence(
    clip: npt.NDArray[Any],
    primary: npt.NDArray[np.bool_],
    frames: Sequence[int],
    grid: tuple[int, int],
    rate: float = 24.0,
) -> Evidence:
    """The pictures of a shot: ten stills from its first to its last frame (all, if it has fewer) and the others.

    clip: [T, h, w, 3], display-referred, uint8 or float in 0..1 (clamped; NaN is black). primary: bool [T, h, w],
    what is to be removed. frames: the T frames' numbers. grid: (rows, columns). rate: the shot's frames a second.
    Equal arguments give equal bytes. Raises ValueError for shapes that don't match, and BadMask where no frame has
    a primary.
    """
    if clip.ndim != 4 or clip.shape[3] != 3 or primary.shape != clip.shape[:3] or len(frames) != len(clip):
        raise ValueError(
            f"a clip {clip.shape}, a primary {primary.shape} and {len(frames)} frame numbers don't belong together; "
            "[T, h, w, 3], [T, h, w] and T are wanted"
        )
    seen = primary.any(axis=(1, 2))
    if not seen.any():
        raise BadMask("the roto is empty on every frame, so there is no object to ask about: paint what is to go")
    first = int(np.argmax(seen))
    return Evidence(
        stills=tuple(
            _still(_picture(clip[index]), frames[index], grid, f"frame {frames[index]}")
            for index in still_indices(len(clip))
        ),
        appearance=_still(
            tint(_picture(clip[first]), primary[first]),
            frames[first],
            grid,
            f"frame {frames[first]}: the object in red",
        ),
        video=make_video(clip, frames, rate),
    )


def still_indices(length: int, count: int = STILLS) -> list[int]:
    """Indices at 0, 11, 22 ... 100 % of `length` frames, in order, none twice."""
    return sorted({round(index * (length - 1) / (count - 1)) for index in range(count)})


def tint(picture: Picture, primary: npt.NDArray[np.bool_]) -> Picture:
    """A picture uint8 [h, w, 3] with `primary`, bool [h, w], half red and outlined in full red."""
    inner = cv2.erode(primary.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
    strength = np.where(primary, np.where(inner, 0.5, 1.0), 0.0)[..., None].astype(np.float32)
    return np.rint(picture * (1 - strength) + _RED * strength).astype(np.uint8)


def draw_grid(picture: Picture, grid: tuple[int, int], title: str) -> Image.Image:
    """A picture uint8 [h, w, 3] under a grid, with row and column numbers on all sides and a title above.

    The picture's top left corner comes to lie at (MARGIN, HEADER + MARGIN); the cells' edges are gridify's.
    """
    height, width = picture.shape[:2]
    rows, columns = grid
    left, top = MARGIN, HEADER + MARGIN
    sheet = Image.new("RGB", (width + 2 * MARGIN, height + 2 * MARGIN + HEADER), _PAPER)
    xs = [left + column * width // columns for column in range(columns + 1)]
    ys = [top + row * height // rows for row in range(rows + 1)]
    sheet.paste(Image.fromarray(_ruled(picture, rows, columns)), (left, top))
    draw = ImageDraw.Draw(sheet)
    size = max(8, min(20, int(0.6 * width / columns), int(0.6 * height / rows)))
    for column in range(columns):
        centre = (xs[column] + xs[column + 1]) / 2
        for y in (top - MARGIN / 2, top + height + MARGIN / 2):
            _write(draw, centre, y, str(column), size)
    for row in range(rows):
        centre = (ys[row] + ys[row + 1]) / 2
        for x in (left - MARGIN / 2, left + width + MARGIN / 2):
            _write(draw, x, centre, str(row), size)
    _write(draw, sheet.width / 2, HEADER / 2, title, max(8, min(18, int(1.8 * sheet.width / len(title)))))
    return sheet


def make_video(clip: npt.NDArray[Any], frames: Sequence[int], rate: float = 24.0, limit: int = VIDEO_BYTES) -> Video:
    """The clip [T, h, w, 3] as H.264 in at most `limit` bytes, long side at most 512, at most 24 frames a second.

    Coarser first, then with every second frame, every fourth and so on, until it fits; it lasts as long as the shot.
    Raises ValueError where a single frame doesn't fit.
    """
    step = max(1, -(-len(clip) // _VIDEO_FRAMES))
    while rate / step > _VIDEO_RATE:
        step += 1
    while True:
        kept = clip[::step]
        for quality in _VIDEO_QUALITIES:
            mp4 = _encode(kept, Fraction(rate / step).limit_denominator(1001), quality)
            if len(mp4) <= limit:
                return Video(mp4, frames[::step], rate / step)
        if len(kept) == 1:
            raise ValueError(f"a video of one frame has {len(mp4)} bytes, more than {limit}")
        step *= 2


def _picture(frame: npt.NDArray[Any]) -> Picture:
    """uint8, or 0..1 in float, to uint8."""
    if frame.dtype == np.uint8:
        return frame
    light = np.nan_to_num(np.asarray(frame, np.float32), nan=0.0, posinf=1.0, neginf=0.0)
    return np.rint(np.clip(light, 0, 1) * 255).astype(np.uint8)


def _still(picture: Picture, frame: int, grid: tuple[int, int], title: str) -> Still:
    smallest, largest = _STILL_SIDES
    side = max(picture.shape[:2])
    scaled = _resized(picture, min(max(side, smallest), largest) / side)
    return Still(frame, encode_within(draw_grid(scaled, grid, title), STILL_BYTES))


def encode_within(sheet: Image.Image, limit: int) -> bytes:
    """JPEG in at most `limit` bytes: coarser first, then smaller, until it fits."""
    while True:
        for quality in _STILL_QUALITIES:
            file = io.BytesIO()
            sheet.save(file, "JPEG", quality=quality, subsampling=0)
            if file.tell() <= limit:
                return file.getvalue()
        sheet = sheet.resize((max(1, sheet.width * 3 // 4), max(1, sheet.height * 3 // 4)), Image.Resampling.LANCZOS)


def _resized(picture: Picture, scale: float) -> Picture:
    if scale == 1:
        return picture
    height, width = picture.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)


def _ruled(picture: Picture, rows: int, columns: int) -> Picture:
    """The grid's inner lines, blended with the picture: light with a dark neighbour, so that one of them shows."""
    ruled = picture.astype(np.float32)
    height, width = picture.shape[:2]
    for shift, value in ((0, 255.0), (1, 0.0)):
        for y in (row * height // rows for row in range(1, rows)):
            ruled[min(y + shift, height - 1)] += 0.6 * (value - ruled[min(y + shift, height - 1)])
        for x in (column * width // columns for column in range(1, columns)):
            ruled[:, min(x + shift, width - 1)] += 0.6 * (value - ruled[:, min(x + shift, width - 1)])
    return np.rint(ruled).astype(np.uint8)


def _write(draw: ImageDraw.ImageDraw, x: float, y: float, text: str, size: int) -> None:
    draw.text((x, y), text, _INK, ImageFont.load_default(size), anchor="mm")


def _encode(clip: npt.NDArray[Any], rate: Fraction, quality: int) -> bytes:
    file = io.BytesIO()
    write_mp4(file, map(_video_picture, clip), rate, quality)
    return file.getvalue()


def _video_picture(frame: npt.NDArray[Any]) -> Picture:
    return _resized(_picture(frame), min(1.0, _VIDEO_SIDE / max(frame.shape[:2])))
