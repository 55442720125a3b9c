"""What one pass is run with."""

from dataclasses import dataclass
from typing import Any, Literal, Self

MaskLevels = Literal["netflix", "quad"]
WarpMode = Literal["exact", "reference"]

SPATIAL_MULTIPLE = 16  # the VAE divides by 8, the transformer's patches by 2
FRAMES_PER_LATENT = 4
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class PassSettings:
    """The settings of one pass; `pass1()` and `pass2()` give VOID's published ones.

    height, width: the model's resolution in pixels, multiples of 16.
    window: frames that the transformer sees at once, 4k+1 with k odd.
    max_frames: the longest clip that VOID as published takes, in frames, 4k+1 with k odd; longer ones work too.
    overlap: frames shared by neighbouring windows of a long clip, a multiple of 8; of a window too
        small for it, all but 8 frames are shared.
    steps: denoising steps. guidance_scale: 1.0 means no guidance, and half the work.
    mask_levels: "netflix", as VOID was published (each pass sees three or two levels), or "quad", all four levels.
    seed: of the initial noise and of the noise on the conditioning video.

    Raises ValueError, which names the field, its value and what to put instead.
    """

    height: int = 384
    width: int = 672
    window: int = 85
    max_frames: int = 197
    overlap: int = 16
    steps: int
    guidance_scale: float
    negative_prompt: str = ""
    mask_levels: MaskLevels = "netflix"
    seed: int = 42

    @classmethod
    def pass1(cls, **changes: Any) -> Self:
        """Pass 1 as published: 30 steps of DDIM without guidance."""
        return cls(**({"steps": 30, "guidance_scale": 1.0} | changes))

    @classmethod
    def pass2(cls, **changes: Any) -> Self:
        """Pass 2 as published: 50 steps of CogVideoX DDIM with guidance 6."""
        return cls(**({"steps": 50, "guidance_scale": 6.0} | changes))

    def __post_init__(self) -> None:
        for name in ("height", "width", "window", "max_frames", "overlap", "steps", "seed"):
            if type(getattr(self, name)) is not int:
                self._refuse(name, "must be a whole number")
        self._check_picture_and_window()
        if self.steps < 1:
            self._refuse("steps", "must be at least 1")
        if not 1.0 <= self.guidance_scale < float("inf"):
            self._refuse("guidance_scale", "must be 1.0 (no guidance) or more")
        if self.mask_levels not in ("netflix", "quad"):
            self._refuse("mask_levels", 'must be "netflix" or "quad"')
        if not 0 <= self.seed <= LARGEST_SEED:
            self._refuse("seed", f"must be from 0 to {LARGEST_SEED}")

    def _check_picture_and_window(self) -> None:
        for name in ("height", "width"):
            size = getattr(self, name)
            if size < SPATIAL_MULTIPLE or size % SPATIAL_MULTIPLE:
                nearest = max(SPATIAL_MULTIPLE, round(size / SPATIAL_MULTIPLE) * SPATIAL_MULTIPLE)
                self._refuse(name, f"must be a positive multiple of {SPATIAL_MULTIPLE}; the nearest is {nearest}")
        for name in ("window", "max_frames"):
            frames = getattr(self, name)
            if frames < 5 or frames % 8 != 5:
                nearest = max(5, round((frames - 5) / 8) * 8 + 5)
                self._refuse(name, f"must be 4k+1 with k odd (5, 13, 21, ... 85, ... 197); the nearest is {nearest}")
        if self.max_frames < self.window:
            self._refuse("max_frames", f"must be at least the window, {self.window}; raise it, or shorten the window")
        # An odd number of latent frames cannot be cut into patches of two, so windows must advance by an even number.
        if self.overlap % 8 or self.overlap < 0:
            self._refuse("overlap", "must be a multiple of 8, or 0")

    def _refuse(self, name: str, rule: str) -> None:
        raise ValueError(f"{name} is {getattr(self, name)!r}; it {rule}")

    @property
    def window_latents(self) -> int:
        """Latent frames in one window."""
        return latent_frames(self.window)

    @property
    def overlap_latents(self) -> int:
        """Latent frames shared by two windows."""
        return min(self.overlap // FRAMES_PER_LATENT, self.window_latents - 2)

    def latent_shape(self, frames: int) -> tuple[int, int, int, int, int]:
        """Of the latents of a clip of this size, padded to so many frames: (1, Tl, 16, H/8, W/8)."""
        return 1, latent_frames(frames), 16, self.height // 8, self.width // 8


def latent_frames(frames: int) -> int:
    """Latent frames of a padded clip: the first frame has its own, every four more share one."""
    return (frames - 1) // FRAMES_PER_LATENT + 1
