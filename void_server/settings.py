"""A shot's settings: what `void run --settings F.toml` and the Nuke node send, checked field by field."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from void_server.model.settings import MaskLevels, PassSettings, WarpMode


class BadSettings(ValueError):
    """A setting that can't be: the message names it."""


@dataclass(frozen=True)
class Denoising:
    """What differs between the passes."""

    steps: Annotated[int, Meta(ge=1, le=1000)]
    guidance_scale: Annotated[float, Meta(ge=1.0, le=50.0)]
    negative_prompt: Annotated[str, Meta(max_length=10_000)] = ""


@dataclass(frozen=True)
class ShotSettings:
    """Everything a result depends on besides its frames, prompt and weights.

    height, width: the model's picture in pixels, multiples of 16. window, overlap: frames the model sees at once, and
    how many of them neighbouring windows share. passes: 1 stops after pass 1. every: the model sees every n-th frame,
    and the others are filled from their neighbours by optical flow. crop: "auto" shows the model the part of the
    plate around what changes, "full" all of it. grow: cells of the grid by which what is affected is widened. ask:
    whether the server's reasoner is asked for hints: never, try (a shot without hints goes on with what is painted),
    require. subject: what the object is, for the reasoner. feather: width in plate pixels of the ramp around the
    matte within which the result blends into the plate. real_pixels: what other frames show of the background is taken
    from them before anything generated. grain: of the plate's own grain, how much is laid on generated pixels. patch:
    whether the layers void.patch and void.grain are written. mask_levels: "netflix" or "quad". noise: how the noise
    that pass 2 starts from is made, "exact" or "reference"; noise_degradation: how much of it is new, bound to no
    motion.
    """

    height: Annotated[int, Meta(ge=16, le=4096)] = 384
    width: Annotated[int, Meta(ge=16, le=4096)] = 672
    window: Annotated[int, Meta(ge=5, le=197)] = 85
    overlap: Annotated[int, Meta(ge=0, le=192)] = 16
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 42
    mask_levels: MaskLevels = "netflix"
    passes: Literal[1, 2] = 2
    every: Annotated[int, Meta(ge=1, le=8)] = 1
    grow: Annotated[int, Meta(ge=0, le=8)] = 0
    ask: Literal["never", "try", "require"] = "never"
    subject: Annotated[str, Meta(max_length=200)] = ""
    crop: Literal["auto", "full"] = "auto"
    feather: Annotated[float, Meta(ge=0.0, le=512.0)] = 8.0
    noise: WarpMode = "exact"
    noise_degradation: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    real_pixels: bool = True
    grain: Annotated[float, Meta(ge=0.0, le=4.0)] = 1.0
    patch: bool = False
    pass1: Denoising = field(default_factory=lambda: Denoising(steps=30, guidance_scale=1.0))
    pass2: Denoising = field(default_factory=lambda: Denoising(steps=50, guidance_scale=6.0))

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> ShotSettings:
        """Settings from a file's or a message's fields; what is not given keeps its default. Raises BadSettings."""
        defaults = dataclasses.asdict(cls())
        known = {**defaults, **given}
        for number in ("pass1", "pass2"):
            if isinstance(given.get(number), dict):
                known[number] = {**defaults[number], **given[number]}
        _refuse_unknown(known, defaults, "")
        try:
            settings = msgspec.convert(known, cls)
            for which in (1, 2):
                settings.for_pass(which)
        except (msgspec.ValidationError, ValueError) as error:
            raise BadSettings(f"settings: {error}") from error
        return settings

    def for_pass(self, number: int) -> PassSettings:
        """The settings of pass 1 or 2 as the model takes them. Raises ValueError naming the field."""
        own = self.pass1 if number == 1 else self.pass2
        return PassSettings(
            height=self.height,
            width=self.width,
            window=self.window,
            overlap=self.overlap,
            mask_levels=self.mask_levels,
            seed=self.seed,
            **dataclasses.asdict(own),
        )

    def to_dict(self) -> dict[str, Any]:
        """All fields, as a settings file would hold them."""
        return dataclasses.asdict(self)


def _refuse_unknown(given: dict[str, Any], known: dict[str, Any], where: str) -> None:
    for name, value in given.items():
        if name not in known:
            raise BadSettings(f"settings: there is no '{where}{name}'; there are {', '.join(known)}")
        if isinstance(value, dict) and isinstance(known[name], dict):
            _refuse_unknown(value, known[name], f"{name}.")
