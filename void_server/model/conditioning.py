"""What the transformer is shown of the shot: the mask and the picture, as latents."""

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from void_server.model.settings import MaskLevels
from void_server.model.vae import VideoVae

# Deviation of the noise on the conditioning video, in units of -1..1 pixels; the model was trained with it.
INPAINT_NOISE = 0.0563


def resize_area(frames: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """float32 [T, C, h, w] to [T, C, height, width], each pixel the mean of the area it covers."""
    return frames if frames.shape[2:] == (height, width) else F.interpolate(frames, (height, width), mode="area")


def prepare_video(clip: NDArray[np.float32], indices: NDArray[np.intp], height: int, width: int) -> torch.Tensor:
    """The clip at the model's size and length.

    clip float [T, h, w, 3] in 0..1; indices: the source frame of each padded frame. Result float32 [1, 3, Tp, H, W].
    """
    frames = torch.from_numpy(np.ascontiguousarray(clip, dtype=np.float32)).permute(0, 3, 1, 2)
    frames = resize_area(frames, height, width)
    return frames[torch.from_numpy(indices)].permute(1, 0, 2, 3)[None].contiguous()


def prepare_mask(quadmask: NDArray[np.uint8], indices: NDArray[np.intp], height: int, width: int) -> torch.Tensor:
    """The quadmask at the model's size and length, snapped to its four levels and inverted: 255 is what goes.

    quadmask uint8 [T, h, w]. Result uint8 [1, 1, Tp, H, W] of 0, 128, 192 and 255.
    """
    frames = resize_area(torch.from_numpy(quadmask).float()[:, None], height, width)
    inverted = 255 - quantise(frames)
    return inverted[torch.from_numpy(indices)].permute(1, 0, 2, 3)[None].contiguous()


def quantise(quadmask: torch.Tensor) -> torch.Tensor:
    """Snap luma that resizing or a codec has moved to 0, 63, 127 or 255, as uint8."""
    levels = torch.tensor([0, 63, 127, 255], dtype=torch.uint8)
    return levels[torch.bucketize(quadmask, torch.tensor([31.0, 95.0, 191.0]))]


def mask_condition(inverted: torch.Tensor, pass_number: int, levels: MaskLevels) -> torch.Tensor:
    """The mask as one pass is shown it, float32 in 0..1, 1 is what goes.

    inverted: uint8 of 0 (keep), 128 (affected), 192 (overlap), 255 (primary). With "quad" all four stay, as the model
    was trained. With "netflix", as VOID is published, pass 1 loses the overlap and pass 2 the affected level too.
    """
    if levels == "quad":
        return inverted.float() / 255
    if pass_number == 1:
        affected = torch.where(inverted == 128, 127 / 255, 0.0)
        return torch.where(inverted > 128, 1.0, affected)
    return (inverted > 0).float()


def mask_latents(vae: VideoVae, condition: torch.Tensor) -> torch.Tensor:
    """[1, 1, Tp, H, W] to latents [1, Tl, 16, H/8, W/8].

    What is encoded is the inverse, 1 where the picture stays, in the range 0..1 and not -1..1: so was the training.
    """
    return vae.encode((1 - condition).expand(-1, 3, -1, -1, -1))


def noised_video(video: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
    """video [1, 3, Tp, H, W] in 0..1 to -1..1, with a little noise but where it is exactly black, as in training.

    noise: unit variance, of the same shape, or None for a model that was trained without.
    """
    pixels = 2 * video - 1
    return pixels if noise is None else pixels + torch.where(pixels == -1, 0.0, noise * INPAINT_NOISE)
