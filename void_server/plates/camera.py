"""How the camera moves from one frame to the next, by what stands still in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Homography = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

PROXY_WIDTH = 640
MIDDLE_GREY = 0.18

# Features, in proxy pixels: tracked there and back to within BACK; taken as one camera to within FIT. A camera that
# moves them by less than LOCKED, and what noise adds (never more than UNSURE), in three quarters of the
# picture does not move.
# What is not still gets the grey of what is, LEVEL around it.
FEATURES = 400
BACK = 0.3
FIT = 0.75
LOCKED = 0.05
UNSURE = 0.5
FEWEST = 12
PATCH, ALIKE = (15, 15), 0.8  # around a feature, and how its second look has to correlate with the first
LEVEL = 16.0
WINDOW = 21


def tone(light: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Scene-linear light of any shape to grey levels: middle grey to the middle, highlights still apart, NaN black.

    The curve of Reinhard et al. (2002), equation 3, with the key at 0.18.
    """
    value = np.clip(np.nan_to_num(np.asarray(light, np.float32), nan=0.0, posinf=1e4, neginf=0.0), 0, 1e4)
    return np.asarray(value * (255 / (value + np.float32(MIDDLE_GREY))) + np.float32(0.5), np.uint8)


@dataclass(frozen=True, eq=False)
class Proxy:
    """A small picture of a plate to follow the camera on.

    grey: uint8 [h, w], levelled where it is not still. still: bool [h, w], what is neither removed nor affected. scale:
    plate pixels in one of its own pixels, across and down.
    """

    grey: npt.NDArray[np.uint8]
    still: Mask
    scale: tuple[float, float]


def proxy(green: npt.NDArray[Any], still: Mask) -> Proxy:
    """From a plate's green channel [h, w] (half or float, scene-linear) and what stands still in it, bool [h, w]."""
    height, width = green.shape
    # Every second pixel, or third, of a large plate is enough to follow, and far less to convert.
    step = max(1, width // (2 * PROXY_WIDTH))
    size = min(width, PROXY_WIDTH), max(1, round(height * min(1.0, PROXY_WIDTH / width)))
    light = cv2.resize(green[::step, ::step].astype(np.float32), size, interpolation=cv2.INTER_AREA)
    held = cv2.resize(still[::step, ::step].astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA) == 255
    grey = cv2.GaussianBlur(tone(light), (0, 0), 1.0)  # grain has corners too
    return Proxy(_levelled(grey, held), held, (width / size[0], height / size[1]))


def _levelled(grey: npt.NDArray[np.uint8], still: Mask) -> npt.NDArray[np.uint8]:
    """What is not still, as grey as what is around it: seen small, it would lead the tracking astray."""
    if still.all() or not still.any():
        return grey
    weight = still.astype(np.float32)
    mean = float(grey[still].mean())
    around = cv2.GaussianBlur((grey - np.float32(mean)) * weight, (0, 0), LEVEL)
    around = mean + around / (cv2.GaussianBlur(weight, (0, 0), LEVEL) + np.float32(1e-3))
    return np.asarray(np.where(still, grey, around + np.float32(0.5)), np.uint8)


def motion(first: Proxy, second: Proxy) -> Homography | None:
    """Where the camera's move takes what stands still, from one proxy to the next; None where that cannot be told.

    float64 [3, 3] that maps plate pixels (x, y, 1), counted from the picture's first pixel's centre. Exactly the
    identity for a camera that does not move. By features (Shi and Tomasi 1994), tracked there and back (Bouguet's
    pyramidal Lucas-Kanade), and one homography for most of them (RANSAC).
    """
    corners = cv2.goodFeaturesToTrack(first.grey, FEATURES, 0.01, 8, mask=first.still.astype(np.uint8))
    if corners is None or len(corners) < FEWEST:
        return None
    moved, found = _tracked(first, second, corners)
    returned, found_back = _tracked(second, first, moved)
    before, after, back = corners[:, 0], moved[:, 0], returned[:, 0]
    good = (found[:, 0] == 1) & (found_back[:, 0] == 1) & (np.linalg.norm(back - before, axis=1) < BACK)
    good &= _on(second.still, after)
    good[good] = _alike(first.grey, second.grey, before[good], after[good])
    before, after = before[good], after[good]
    if len(before) < FEWEST:
        return None
    if _at_rest(before, after):
        return np.eye(3)
    found_motion, inliers = cv2.findHomography(before, after, cv2.RANSAC, FIT)
    if found_motion is None or inliers.mean() < 0.4 or inliers.sum() < FEWEST:
        return None
    return _in_plate_pixels(found_motion, first.scale)


def _alike(
    first: npt.NDArray[np.uint8],
    second: npt.NDArray[np.uint8],
    before: npt.NDArray[np.float32],
    after: npt.NDArray[np.float32],
) -> Mask:
    """Whether what lies around points (x, y) [n, 2] looks the same in both: grain has corners too, but only once."""

    def patches(grey: npt.NDArray[np.uint8], points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        found = [cv2.getRectSubPix(grey, PATCH, point, patchType=cv2.CV_32F) for point in points.tolist()]
        flat = np.reshape(found, (len(points), PATCH[0] * PATCH[1]))
        flat = flat - flat.mean(axis=1, keepdims=True)
        return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-3), np.float32)

    return np.asarray((patches(first, before) * patches(second, after)).sum(axis=1) > ALIKE)


def _tracked(first: Proxy, second: Proxy, points: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Where points [n, 1, 2] go, and whether (1) they were found [n, 1]."""
    # A level of which the window is most of the picture tells nothing.
    levels = max(0, min(4, int(np.log2(min(first.grey.shape) / (1.5 * WINDOW)))))
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        first.grey, second.grey, points, None, winSize=(WINDOW, WINDOW), maxLevel=levels
    )
    return moved, found


def _at_rest(before: npt.NDArray[np.float32], after: npt.NDArray[np.float32]) -> bool:
    """Whether points (x, y) [n, 2] stay where they are, as far as noise can tell, in all quarters of them but one.

    One, since a shadow that nobody has marked may pass there.
    """
    right, below = (before > np.median(before, axis=0)).T
    moves = after - before
    moving = 0
    for across in (False, True):
        for down in (False, True):
            quarter = moves[(right == across) & (below == down)]
            if len(quarter):
                middle = np.median(quarter, axis=0)
                spread = 1.48 * np.median(np.abs(quarter - middle), axis=0)
                error = 1.25 * spread / np.sqrt(len(quarter))  # of a median
                moving += bool((np.abs(middle) > np.minimum(LOCKED + 2.5 * error, UNSURE)).any())
    return moving <= 1


def _on(mask: Mask, points: npt.NDArray[np.float32]) -> Mask:
    """Which points (x, y) [n, 2] lie on a mask."""
    height, width = mask.shape
    columns, rows = np.rint(points).astype(np.int64).T
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    return np.asarray(inside & mask[rows.clip(0, height - 1), columns.clip(0, width - 1)])


def _in_plate_pixels(of_proxy: Homography, scale: tuple[float, float]) -> Homography:
    """The same move counted in plate pixels; pixel centres are whole numbers in both."""
    across, down = scale
    to_plate = np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]])
    of_plate = to_plate @ of_proxy @ np.linalg.inv(to_plate)
    return np.asarray(of_plate / of_plate[2, 2], np.float64)


class Link(NamedTuple):
    """How the camera has moved to a frame from an earlier one of the shot, by its place in it."""

    earlier: int
    move: Homography


class Follower:
    """Tells how the camera has moved to each frame of a shot that comes frame by frame."""

    def __init__(self) -> None:
        self._place = -1
        self._rest: tuple[int, Proxy] | None = None  # the frame from which on the camera has not moved
        self._last: tuple[int, Proxy] | None = None
        self._linked: tuple[int, Proxy] | None = None  # the last frame that could be followed

    def __call__(self, seen: Proxy) -> Link | None:
        """The move to the next frame; None where it cannot be told, as for the first.

        From where the camera came to rest, so that a drift too slow to be seen between two frames is seen in the end;
        else from the frame before; else from the last before a flash or a broken frame.
        """
        self._place += 1
        here = self._place, seen
        link = None
        for earlier in dict.fromkeys(frame for frame in (self._rest, self._last, self._linked) if frame):
            move = motion(earlier[1], seen)
            if move is not None:
                link = Link(earlier[0], move)
                self._rest = earlier if np.array_equal(move, np.eye(3)) else here
                self._linked = here
                break
        self._rest = self._rest or here
        self._last = here
        return link


class CameraPath:
    """The camera over a shot."""

    def __init__(self, links: Sequence[Link | None]) -> None:
        """links: of each frame; where one is None, a piece of the shot begins that no earlier one has to do with."""
        self._to: list[Homography] = []
        self._piece: list[int] = []
        for place, link in enumerate(links):
            self._to.append(link.move @ self._to[link.earlier] if link else np.eye(3))
            self._piece.append(self._piece[link.earlier] if link else place)

    @property
    def rests(self) -> bool:
        """Whether the camera never moves, as far as is known."""
        return all(np.array_equal(to, np.eye(3)) for to in self._to)

    def between(self, first: int, second: int) -> Homography | None:
        """Where what stands still goes from one frame (by its place in the shot) to another; None if not known."""
        if self._piece[first] != self._piece[second]:
            return None
        if np.array_equal(self._to[first], self._to[second]):
            return np.eye(3)
        move = self._to[second] @ np.linalg.inv(self._to[first])
        return np.asarray(move / move[2, 2], np.float64)


def carry(points: npt.NDArray[Any], move: Homography) -> npt.NDArray[np.float32]:
    """Points (x, y) [..., 2] through a homography."""
    flat = np.asarray(points, np.float32).reshape(1, -1, 2)
    return np.asarray(cv2.perspectiveTransform(flat, move).reshape(np.shape(points)), np.float32)
