"""What changes in a shot, taken apart into what lies apart."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from void_server.plates.composite import bounding_box

Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.uint8]

# More than this (a roto of specks) is joined over growing gaps first; it bounds the time that planning takes.
MOST = 32


def label_components(changed: Mask, removed: Mask, reach: float) -> Labels:
    """Components of what is `changed` on any frame and of all that is nearer to it than `reach` pixels.

    changed, removed: bool [h, w] over the shot; `removed`, a part of it, is what goes on some frame. Returns uint8
    [h, w]: 0 is no component. A component without anything removed is an effect, and gets the label of the nearest
    that has something: the model has to see it together with its cause. Raises ValueError where nothing is removed.
    """
    if not (changed & removed).any():
        raise ValueError("nothing is removed")
    labels = np.zeros(changed.shape, np.uint8)
    around = bounding_box(changed, int(np.ceil(reach)))
    assert around is not None
    distance = cv2.distanceTransform((~changed[around]).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    gap = max(reach, 1.0)
    count, found = _connected(distance < gap)
    while count > MOST:
        gap *= 2
        count, found = _connected(distance < gap)
    causes = np.unique(found[removed[around]])
    becomes = np.arange(256, dtype=np.uint8)
    for effect in np.setdiff1d(np.arange(1, count + 1), causes):
        away = cv2.distanceTransform((found != effect).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        away[~np.isin(found, causes)] = np.inf
        becomes[effect] = found.flat[int(away.argmin())]
    labels[around] = becomes[found]
    return labels


def _connected(mask: Mask) -> tuple[int, Labels]:
    """How many pieces a mask [h, w] has, corners joined, and their numbers from 1; of many, the numbers are wrong."""
    count, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    return count - 1, labels.astype(np.uint8)
