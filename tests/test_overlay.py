"""The overlay to look at: colours by arithmetic done here, from EXRs on disk."""

from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from shots_on_disk import flat_image
from void_client.errors import BadInput
from void_client.sequences import FileSequence, FrameRange

from void_server import overlay
from void_server.demo.scene import Scene
from void_server.masks.grid import grid_shape, gridify
from void_server.masks.quadmask import combine
from void_server.overlay import overlay_picture, write_overlay
from void_server.plates.exr import read_frame, write_frame
from void_server.plates.frame import Frame, Part
from void_server.plates.window import Window

RED, YELLOW, BLUE, PINK = (0.6, 0.01, 0.01), (1, 0.6, 0.02), (0, 0.06, 0.9), (1, 0.1, 0.6)
COLOURS = {0: RED, 63: YELLOW, 127: BLUE, 204: PINK}
GAP, LINE = 8, 24
GIZMO = Path(__file__).parents[1] / "gizmos" / "VOID_QuadmaskView.gizmo"

Picture = npt.NDArray[np.uint8]


def screen(linear: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The sRGB curve of IEC 61966-2-1, 0 to 255."""
    light = np.clip(np.asarray(linear, np.float64), 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def covered(light: npt.ArrayLike, colour: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """What a screen shows of a colour of strength 0.6 over light."""
    return screen(0.4 * np.clip(light, 0, 1) + 0.6 * np.asarray(colour))


def sequence(folder: Path, name: str) -> FileSequence:
    return FileSequence(folder, f"{name}.####.exr")


def store(folder: Path, name: str, frames: dict[int, Frame]) -> FileSequence:
    for number, frame in frames.items():
        (folder / f"{name}.{number:04d}.exr").write_bytes(write_frame(frame))
    return sequence(folder, name)


def levels_of(scene: Scene, number: int) -> Picture:
    """The quadmask over the data window, with a patch of 204, which is no level, in the top left of the format."""
    ball = scene.object_matte(number) >= 1 / 32
    shadow = gridify(scene.affected_matte(number) > 0, *grid_shape(*ball.shape))
    levels = combine(ball, shadow & (number > scene.first))
    levels[4:14, 4:24] = 204
    return levels


@pytest.fixture(scope="module")
def quadmask(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> FileSequence:
    """The scene's quadmasks on disk, as `void quadmask` writes them."""
    header = {"dataWindow": scene.data_window.box, "displayWindow": Window(0, 0, scene.width, scene.height).box}
    frames = {}
    for number in scene.frames:
        values = levels_of(scene, number).astype(np.float32) / np.float32(255)
        frames[number] = Frame((Part(header, dict.fromkeys("RGB", values)),))
    return store(tmp_path_factory.mktemp("quadmask"), "quadmask", frames)


def expected(shot: Path, scene: Scene, number: int) -> npt.NDArray[np.float64]:
    """The format's pixels, one to one."""
    edge = scene.overscan
    format_ = slice(edge, edge + scene.height), slice(edge, edge + scene.width)
    light = read_frame(shot / f"plate.{number:04d}.exr").rgb()[format_]
    levels = levels_of(scene, number)[format_]
    shown = screen(light)
    for level, colour in COLOURS.items():
        here = levels == level
        assert here.any() or number == scene.first, level
        shown[here] = covered(light[here], colour)
    return shown


def opened(path: Path) -> npt.NDArray[np.int64]:
    return np.asarray(Image.open(path).convert("RGB"), np.int64)


def film(path: Path) -> list[npt.NDArray[np.int64]]:
    with av.open(str(path)) as box:
        stream = box.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.average_rate == 24
        return [frame.to_ndarray(format="rgb24").astype(np.int64) for frame in box.decode(stream)]


def flat_shot(folder: Path, count: int, *, width: int = 64, height: int = 40) -> tuple[FileSequence, FileSequence]:
    """Plates of frame / 20, and quadmasks that keep everything."""
    window = Window(0, 0, width, height)
    plate = {n: flat_image(n / 20, window, window) for n in range(1, count + 1)}
    return store(folder, "plate", plate), store(folder, "q", {n: flat_image(1.0, window, window) for n in plate})


def one_frame(plate: Frame, quadmask: Frame, folder: Path) -> npt.NDArray[np.int64]:
    """A sheet of one frame, from its first pixel on."""
    sequences = store(folder, "plate", {1: plate}), store(folder, "q", {1: quadmask})
    write_overlay(folder / "one.png", *sequences, FrameRange(1, 1))
    return opened(folder / "one.png")[GAP:, GAP:]


def test_a_sheet_shows_each_frame_in_the_four_colours(
    shot: Path, scene: Scene, quadmask: FileSequence, tmp_path: Path
) -> None:
    write_overlay(tmp_path / "new" / "sheet.PNG", sequence(shot, "plate"), quadmask, FrameRange(1001, 1006))
    sheet = opened(tmp_path / "new" / "sheet.PNG")
    for index, number in enumerate(scene.frames):
        row, column = divmod(index, 3)
        y, x = GAP + row * (GAP + 90 + LINE), GAP + column * (GAP + 160)
        assert np.abs(sheet[y : y + 90, x : x + 160] - expected(shot, scene, number)).max() <= 0.51
        assert sheet[y + 90 : y + 90 + LINE, x : x + 160].max() > 150, "no number under it"
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_a_film_shows_every_frame_in_order(shot: Path, scene: Scene, quadmask: FileSequence, tmp_path: Path) -> None:
    write_overlay(tmp_path / "film.mp4", sequence(shot, "plate"), quadmask, FrameRange(1001, 1006))
    pictures = film(tmp_path / "film.mp4")
    assert len(pictures) == 6
    wanted = [expected(shot, scene, number) for number in scene.frames]
    for index, picture in enumerate(pictures):
        off = [np.abs(picture[:90, :160] - one).mean() for one in wanted]
        assert off[index] == min(off) < 8
        assert np.abs(picture[3:7, 5:15].mean(axis=(0, 1)) - wanted[index][3:7, 5:15].mean(axis=(0, 1))).max() < 8
    assert list(tmp_path.iterdir()) == [tmp_path / "film.mp4"]


def test_of_a_long_shot_nine_frames_from_the_first_to_the_last(tmp_path: Path) -> None:
    plate, quadmask = flat_shot(tmp_path, 17, width=160)
    write_overlay(tmp_path / "sheet.png", plate, quadmask, FrameRange(1, 17))
    sheet = opened(tmp_path / "sheet.png")
    for index, number in enumerate(range(1, 18, 2)):
        row, column = divmod(index, 3)
        pixel = sheet[GAP + row * (GAP + 40 + LINE) + 20, GAP + column * (GAP + 160) + 80]
        assert np.abs(pixel - screen(np.float16(number / 20))).max() <= 0.51, number
    assert len(film_of(tmp_path, plate, quadmask, 17)) == 17


def film_of(folder: Path, plate: FileSequence, quadmask: FileSequence, count: int) -> list[npt.NDArray[np.int64]]:
    write_overlay(folder / "film.mp4", plate, quadmask, FrameRange(1, count))
    return film(folder / "film.mp4")


def test_colours_words_and_strength_are_the_gizmos() -> None:
    gizmo = GIZMO.read_text()
    swatches = re.findall(r"color \{([\d. ]+)\}\s+name Swatch(\w+)", gizmo)
    words = zip(re.findall(r'message "(.+)"', gizmo), re.findall(r"name Word(\w+)", gizmo), strict=True)
    of_name = {name: tuple(map(float, colour.split()))[:3] for colour, name in swatches}
    assert {text: of_name[name] for text, name in words} == overlay.LEGEND
    assert len(overlay.LEGEND) == 4
    assert {0: of_name["Remove"], 63: of_name["Both"], 127: of_name["Affected"]} == overlay.COLOURS
    assert of_name["None"] == overlay.NO_LEVEL
    assert re.search(r"^ mix ([\d.]+)$", gizmo, re.MULTILINE)[1] == str(overlay.MIX)


def test_the_legend_has_each_colour_at_its_full_strength_whatever_the_width(tmp_path: Path) -> None:
    for width, lines in ((620, 1), (320, 2), (40, 4)):
        plate, quadmask = flat_shot(tmp_path, 1, width=width)
        write_overlay(tmp_path / "s.png", plate, quadmask, FrameRange(1, 1))
        legend = opened(tmp_path / "s.png")[-lines * LINE :]
        swatches = legend[LINE // 2 :: LINE, 2 * GAP :: 150][:, : 4 // lines].reshape(-1, 3)
        assert np.abs(swatches - screen([RED, YELLOW, BLUE, PINK])).max() <= 0.51


def test_large_frames_are_shown_at_960_and_nine_on_a_sheet_at_640(tmp_path: Path) -> None:
    plate, quadmask = flat_shot(tmp_path, 9, width=1920, height=1000)
    assert film_of(tmp_path, plate, quadmask, 1)[0].shape == (500 + 2 * LINE, 960, 3)
    write_overlay(tmp_path / "sheet.png", plate, quadmask, FrameRange(1, 9))
    assert opened(tmp_path / "sheet.png").shape == (3 * (GAP + 333 + LINE) + LINE, 3 * (GAP + 640), 3)
    write_overlay(tmp_path / "sheet.png", plate, quadmask, FrameRange(1, 1))
    assert opened(tmp_path / "sheet.png").shape == (GAP + 500 + LINE + LINE, GAP + 960, 3)


def test_a_film_of_odd_size_is_made_even(tmp_path: Path) -> None:
    plate, quadmask = flat_shot(tmp_path, 2, width=641, height=41)
    assert {picture.shape for picture in film_of(tmp_path, plate, quadmask, 2)} == {(42 + 2 * LINE, 642, 3)}


def test_anamorphic_pixels_are_shown_square(tmp_path: Path) -> None:
    window = Window(0, 0, 200, 100)
    plate = flat_image(0.5, window, window)
    plate = Frame((Part(plate.parts[0].header | {"pixelAspectRatio": 2.0}, plate.parts[0].channels),))
    quadmask = flat_image(1.0, window, window)
    quadmask.channel("R")[:, :50] = 0
    shown = one_frame(plate, quadmask, tmp_path)
    assert np.abs(shown[50, [98, 101]] - [covered(0.5, RED), screen([0.5] * 3)]).max() <= 0.51
    assert shown.shape == (100 + LINE + LINE * 2, 400, 3)


def test_colours_are_seen_on_highlights_and_nan_is_black(tmp_path: Path) -> None:
    window = Window(0, 0, 8, 4)
    plate = flat_image(12.5, window, window)
    for name in "RGB":
        plate.channel(name)[:, 4:] = np.nan
    quadmask = flat_image(1.0, window, window)
    quadmask.channel("R")[:2] = 0
    shown = one_frame(plate, quadmask, tmp_path)
    assert np.abs(shown[:2, :4] - covered(1.0, RED)).max() <= 0.51
    assert (shown[2:4, :4] == 255).all()
    assert np.abs(shown[:2, 4:8] - covered(0.0, RED)).max() <= 0.51
    assert (shown[2:4, 4:8] == 0).all()


def test_beyond_a_plates_pixels_is_black_and_beyond_a_quadmasks_is_kept(tmp_path: Path) -> None:
    display = Window(0, 0, 20, 10)
    shown = one_frame(
        flat_image(0.5, Window(5, 0, 30, 10), display), flat_image(0.0, Window(-3, 2, 13, 4), display), tmp_path
    )
    red, grey = covered(0.5, RED), screen([0.5] * 3)
    for (y, x), wanted in {(0, 0): [0] * 3, (3, 0): covered(0, RED), (3, 7): red, (3, 12): grey, (0, 7): grey}.items():
        assert np.abs(shown[y, x] - wanted).max() <= 0.51, (y, x)


@pytest.mark.parametrize("apart", [True, False])
def test_no_data_in_the_format_is_no_error(apart: bool) -> None:
    display = Window(0, 0, 20, 10)
    plate = flat_image(0.5, Window(30, 30, 5, 5) if apart else display, display)
    shown = overlay_picture(plate, flat_image(0.0, Window(40, 0, 2, 2), display), 20, 10)
    assert np.abs(shown - (0 if apart else screen(0.5))).max() <= 0.51


@pytest.mark.parametrize(
    ("level", "colour"),
    [
        (0, RED),
        (12, RED),
        (13, PINK),
        (50, PINK),
        (51, YELLOW),
        (75, YELLOW),
        (115, BLUE),
        (139, BLUE),
        (140, PINK),
        (242, PINK),
        (-13, PINK),
        (268, PINK),
        (np.nan, PINK),
        (np.inf, PINK),
    ],
)
def test_a_level_counts_within_12_and_everything_else_is_pink(level: float, colour: tuple[float, ...]) -> None:
    window = Window(0, 0, 3, 2)
    quadmask = Frame((Part({}, {"R": np.full((2, 3), level / 255, np.float32)}),))
    shown = overlay_picture(flat_image(0.25, window, window), quadmask, 3, 2)
    assert np.abs(shown - covered(0.25, colour)).max() <= 0.51


def test_half_a_pixel_of_a_colour_is_half_its_strength(tmp_path: Path) -> None:
    window = Window(0, 0, 4, 2)
    quadmask = flat_image(1.0, window, window)
    quadmask.channel("R")[:, :1] = 0
    shown = overlay_picture(flat_image(0.25, window, window), quadmask, 2, 1)
    half = screen(0.25 + 0.5 * 0.6 * (np.array(RED) - 0.25))
    assert np.abs(shown - [[half, screen([0.25] * 3)]]).max() <= 0.51


def test_a_results_own_layer_is_shown_over_it(tmp_path: Path) -> None:
    window = Window(0, 0, 6, 4)
    result = flat_image(0.0, window, window).with_channels({"void.quadmask": np.full((4, 6), 127 / 255, np.float16)})
    assert np.abs(one_frame(result, result, tmp_path)[:4, :6] - covered(0.0, BLUE)).max() <= 0.51


def test_a_few_frames_are_in_memory_however_long_the_shot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plate, quadmask = flat_shot(tmp_path, 20)
    made = []

    def counted(*arguments: object) -> Picture:
        made.append(arguments)
        return overlay_picture(*arguments)

    def draws_three(_file: object, pictures: object, *_: object) -> None:
        for _ in range(3):
            next(pictures)
        assert 3 <= len(made) <= 3 + 4

    monkeypatch.setattr(overlay, "overlay_picture", counted)
    monkeypatch.setattr(overlay, "write_mp4", draws_three)
    write_overlay(tmp_path / "film.mp4", plate, quadmask, FrameRange(1, 20))
    assert len(made) >= 3


@pytest.mark.parametrize("name", ["overlay", "overlay.jpg", "overlay.mov", "overlay.%04d.exr"])
def test_another_kind_of_target_is_refused(name: str, tmp_path: Path) -> None:
    plate, quadmask = flat_shot(tmp_path, 1)
    with pytest.raises(BadInput, match=r"neither \.png \(a contact sheet\) nor \.mp4 \(every frame\)"):
        write_overlay(tmp_path / "new" / name, plate, quadmask, FrameRange(1, 1))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("kind", ["png", "mp4"])
@pytest.mark.parametrize("place", ["file/overlay", "folder"])
def test_a_place_that_cannot_be_written_is_refused(kind: str, place: str, tmp_path: Path) -> None:
    plate, quadmask = flat_shot(tmp_path, 1)
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / f"folder.{kind}").mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(BadInput, match=rf"{place}.{kind} can't be written \(.+\): choose another place"):
        write_overlay(tmp_path / f"{place}.{kind}", plate, quadmask, FrameRange(1, 1))
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("kind", ["png", "mp4"])
@pytest.mark.parametrize("which", ["plate", "q"])
def test_what_is_wrong_with_a_frame_is_told_and_an_earlier_overlay_stays(kind: str, which: str, tmp_path: Path) -> None:
    sequences = flat_shot(tmp_path, 3)
    target = tmp_path / f"overlay.{kind}"
    target.write_bytes(b"earlier")
    damaged = tmp_path / f"{which}.0003.exr"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-40])
    with pytest.raises(BadInput, match=rf"frame 3 of {which}\.####\.exr is truncated or damaged"):
        write_overlay(target, *sequences, FrameRange(1, 3))
    other = Window(0, 0, 64, 41)
    damaged.write_bytes(write_frame(flat_image(1.0, other, other)))
    with pytest.raises(BadInput, match=rf"frame 3 of {which}\S+ has the format 64x41, frame 1 of plate\S+ has 64x40"):
        write_overlay(target, *sequences, FrameRange(1, 3))
    damaged.unlink()
    with pytest.raises(BadInput, match=rf"frame 3 of {which}\.####\.exr is missing"):
        write_overlay(target, *sequences, FrameRange(1, 3))
    assert target.read_bytes() == b"earlier"
    assert sorted(path.suffix for path in tmp_path.iterdir()) == sorted([".exr"] * 5 + [f".{kind}"])
