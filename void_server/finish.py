"""The last step of a shot: real pixels, and what the engine made, laid over the plate inside the matte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from void_server.behind import Behind, Found
from void_server.cropping import Parts
from void_server.engine import Progress
from void_server.footage import Footage
from void_server.masks.quadmask import AFFECTED, KEEP, OVERLAP, PRIMARY
from void_server.plates.colour import ModelCurve
from void_server.plates.composite import bounding_box, composite, matte_ramp
from void_server.plates.frame import Frame
from void_server.plates.grain import Grain
from void_server.plates.relight import relight
from void_server.plates.resize import enlarge
from void_server.plates.window import Window
from void_server.plates.working_space import WorkingSpace
from void_server.quadmasks import Quadmask, Quadmasks
from void_server.settings import ShotSettings
from void_server.stages import stage

Pixels = npt.NDArray[np.float32]

LEVELS = np.arange(256, dtype=np.float32) / np.float32(255)  # as a quadmask's levels are shown and stored
QUADMASK_LAYER = LEVELS.astype(np.float16)  # beside the half channels of a plate

# Plate pixels over which real pixels give way to generated ones towards what is affected: there they show the effect.
GIVES_WAY = 16.0

LAYERS = ("void.quadmask", "void.matte", "provenance.real", "provenance.offset")
PATCH_LAYERS = tuple(f"void.{layer}.{channel}" for layer in ("patch", "grain") for channel in "RGB")

RELIT = 1e-4  # in the encoded picture's 0..1: a smaller change of light is none
TOE = 1e-3  # linear light that keeps the ratio of two lights sane in the dark


@dataclass(frozen=True)
class Made:
    """What a shot's frames are finished with: what the engine made of each part (float32 [T, H, W, 3] in 0..1, encoded
    by `curve`) in linear Rec.709, where to look for what stands behind, and the plate's space and grain."""

    parts: Parts
    results: Sequence[Pixels]
    curve: ModelCurve
    space: WorkingSpace
    behind: Behind | None
    grain: Grain


@dataclass(frozen=True)
class Filling:
    """What goes over a box of the plate, float32 [h, w, 3] in the plate's space: `linear` as a whole, of which `patch`
    is what was generated and `grain` what was laid over that. real: float32 [h, w] in 0..1, the share that is from
    another frame. offset: float32 [h, w], that frame's number less this one's."""

    linear: Pixels
    patch: Pixels
    grain: Pixels
    real: Pixels
    offset: Pixels


def finish(
    plate: Footage, quadmasks: Quadmasks, made: Made, settings: ShotSettings, progress: Progress
) -> Iterator[Frame]:
    """The plate's frames, read again, with what was made laid over them by the matte.

    Layers beside the plate's own, as half: void.quadmask, void.matte, provenance.real (which share of a pixel is from
    another frame; what else void.matte has is generated, and the rest is the source) and provenance.offset (that
    frame's number less this one's). With the setting `patch` also void.patch (what was generated) and void.grain (what
    was laid over it), 0 outside the matte. Where the matte is 0, every bit is the plate's. Raises BadPlate.
    """

    def one(item: tuple[int, int]) -> Frame:
        index, number = item
        return _Finishing(quadmasks, made, settings, index, number, plate.read(number)).frame()

    return stage("finishing", one, enumerate(plate.frames), len(plate.frames), progress)


@dataclass(frozen=True)
class _Finishing:
    """One frame: its index in the shot, its number, and itself."""

    quadmasks: Quadmasks
    made: Made
    settings: ShotSettings
    index: int
    number: int
    image: Frame

    def frame(self) -> Frame:
        """The result."""
        data = self.image.data_window
        names = LAYERS + (PATCH_LAYERS if self.settings.patch else ())
        layers = {name: np.zeros((data.height, data.width), np.float16) for name in names}
        layers["void.quadmask"][...] = 1
        area = self._area()
        if area is None:
            return self.image.with_channels(layers)
        window, quadmask, matte = area
        here = window.slices_in(data)
        layers["void.quadmask"][here] = QUADMASK_LAYER[quadmask]
        layers["void.matte"][here] = matte
        channels = {name: channel.copy() for name, channel in self.image.picture().items()}
        owner = self.made.parts.owner[window.slices_in(self.quadmasks.window)]
        for part in range(len(self.made.results)):
            own = np.where(owner == part, matte, np.float32(0))
            inside = bounding_box(own > 0)
            if inside is None:
                continue
            box, share = Window.from_slices(inside, window), own[inside]
            where = box.slices_in(data)
            filling = self._filling(part, box, quadmask[inside], share)
            for index, channel in enumerate(channels.values()):
                fill = np.ascontiguousarray(filling.linear[..., index])
                channel[where] = composite(channel[where], fill, share)
            for name, values in self._layers(filling, share).items():
                np.copyto(layers[name][where], values, where=share > 0, casting="same_kind")
        return self.image.with_channels(channels | layers)

    def _layers(self, filling: Filling, share: Pixels) -> dict[str, Pixels]:
        """What a filling says of itself, by layer."""
        values = {"provenance.real": filling.real * share, "provenance.offset": filling.offset}
        if self.settings.patch:
            for index, name in enumerate("RGB"):
                values[f"void.patch.{name}"] = filling.patch[..., index]
                values[f"void.grain.{name}"] = filling.grain[..., index]
        return values

    def _area(self) -> tuple[Window, Quadmask, Pixels] | None:
        """Where this frame changes and what is stored of it: the window, its quadmask and its matte; None for none."""
        whole = self.quadmasks.window
        quadmask = self.quadmasks[self.number]
        changed = bounding_box(quadmask != KEEP, int(np.ceil(self.settings.feather)))
        if changed is None:
            return None
        outer = Window.from_slices(changed, whole)
        window = outer.intersection(self.image.data_window)
        if not (window.width and window.height):
            return None
        matte = matte_ramp(quadmask[changed] != KEEP, self.settings.feather)
        return window, quadmask[window.slices_in(whole)], matte[window.slices_in(outer)]

    def _filling(self, part: int, box: Window, quadmask: Quadmask, matte: Pixels) -> Filling:
        """What goes over a box, in plate pixels, that a part of the shot fills; quadmask and matte are the box's."""
        patch = self.made.space.from_rec709(self.made.curve.decode(self._picture(part, box)))
        linear, share, offset = patch, np.zeros_like(matte), np.zeros_like(matte)
        hidden = bounding_box(quadmask == PRIMARY, int(np.ceil(self.settings.feather)))
        if self.made.behind and hidden is not None:
            inner = Window.from_slices(hidden, box)
            found = self.made.behind.find(self.number, self.image, inner)
            if found:
                real, trust = self._relit(found, part, inner)
                share[hidden] = trust * _room_for_real(quadmask)[hidden]
                linear = patch.copy()
                linear[hidden] = real * share[hidden][..., None] + patch[hidden] * (1 - share[hidden])[..., None]
                away = found.frame[inner.slices_in(found.window)] - np.float32(self.number)
                offset[hidden] = np.where(share[hidden] > 0, away, 0)
        grain = self._grain(part, patch, matte, share)
        return Filling(linear + grain, patch, grain, share, offset)

    def _grain(self, part: int, patch: Pixels, matte: Pixels, real: Pixels) -> Pixels:
        """Grain that makes the whole as grainy as the plate: what shines through the ramp, and what is from another
        frame, has its own, and independent grains add up by their squares."""
        there = (1 - matte) ** 2 + (matte * real) ** 2
        missing = np.sqrt(np.clip(1 - there, 0, 1)) / np.maximum(matte, np.float32(1e-6))
        seed = (self.settings.seed, self.number, part)
        grain = self.made.grain.lay(patch, seed)
        grain *= (missing * np.float32(self.settings.grain))[..., None]
        return grain

    def _picture(self, part: int, box: Window) -> Pixels:
        """What the engine made of a box, in plate pixels, [h, w, 3] in 0..1, encoded."""
        window = self.made.parts.crops[part].windows[self.index]
        return enlarge(self.made.results[part][self.index], window.width, window.height, box.slices_in(window))

    def _relit(self, found: Found, part: int, box: Window) -> tuple[Pixels, Pixels]:
        """Found pixels of a box, in the model's light where the two differ, and how far they are to be trusted."""
        crop, curve, space = self.made.parts.crops[part].windows[self.index], self.made.curve, self.made.space
        window = found.window.intersection(crop)
        outer, inner = window.slices_in(found.window), box.slices_in(window)
        light = space.to_rec709(found.rgb[outer])
        encoded = curve.encode(light)
        change, trust = relight(
            encoded,
            self._picture(part, window),
            curve.encode(space.to_rec709(self.image.rgb(window))),
            found.trust[outer],
            found.ring[outer],
            crop.height / len(self.made.results[part][self.index]),
        )
        changed = np.abs(change).max(axis=-1) > RELIT
        rgb = found.rgb[outer].copy()
        if changed.any():
            # As a ratio, so that what the curve does not hold (negatives, light above its maximum) stays.
            before, after = encoded[changed], encoded[changed] + change[changed]
            lit = light[changed] * (curve.decode(after) + TOE) / (curve.decode(before) + TOE)
            rgb[changed] = space.from_rec709(lit[None])[0]
        return rgb[inner], trust[inner]


def _room_for_real(quadmask: Quadmask) -> Pixels:
    """1 where a quadmask is far from anything affected, 0 on it."""
    affected = (quadmask == AFFECTED) | (quadmask == OVERLAP)
    if not affected.any():
        return np.ones(quadmask.shape, np.float32)
    distance = cv2.distanceTransform((~affected).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(np.clip(distance / GIVES_WAY, 0, 1), np.float32)
