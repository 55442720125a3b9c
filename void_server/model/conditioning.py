"""What the transformer is shown of the shot, the mask and the picture, made ready for the autoencoder in chunks."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from void_server.model.settings import MaskLevels, PassSettings
from void_server.model.vae import encode_spans

# Noise of the padded frames from start to end, float32 [1, 3, end - start, H, W], unit variance.
NoiseOf = Callable[[int, int], torch.Tensor]

# Deviation of the noise on the conditioning video, in units of -1..1 pixels; the model was trained with it.
INPAINT_NOISE = 0.0563
# The conditioning noise must not repeat the initial noise, which follows the seed itself.
_NOISE_STREAM = 0x5EED


def resize_area(frames: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """float32 [T, C, h, w] to [T, C, height, width], each pixel the mean of the area it covers."""
    return frames if frames.shape[2:] == (height, width) else F.interpolate(frames, (height, width), mode="area")


def prepare_video(clip: NDArray[np.float32], indices: NDArray[np.intp], height: int, width: int) -> torch.Tensor:
    """Frames of the clip at the model's size.

    clip float [T, h, w, 3] in 0..1; indices: the source frame of each of t padded frames, all or some of them. Result
    float32 [1, 3, t, H, W].
    """
    frames = torch.from_numpy(clip[indices].astype(np.float32, copy=False)).permute(0, 3, 1, 2)
    return resize_area(frames, height, width).permute(1, 0, 2, 3)[None].contiguous()


def prepare_mask(quadmask: NDArray[np.uint8], indices: NDArray[np.intp], height: int, width: int) -> torch.Tensor:
    """Frames of the quadmask at the model's size, snapped to its four levels and inverted: 255 is what goes.

    quadmask uint8 [T, h, w]; indices as for `prepare_video`. Result uint8 [1, 1, t, H, W] of 0, 128, 192 and 255.
    """
    frames = resize_area(torch.from_numpy(quadmask[indices]).float()[:, None], height, width)
    return (255 - quantise(frames)).permute(1, 0, 2, 3)[None].contiguous()


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


def mask_chunks(
    quadmask: NDArray[np.uint8], indices: NDArray[np.intp], pass_number: int, settings: PassSettings
) -> Iterator[torch.Tensor]:
    """What the autoencoder is given of the mask, chunk by chunk, float32 [1, 3, t, H, W].

    It is the inverse, 1 where the picture stays, in the range 0..1 and not -1..1: so was the training.
    """
    for start, end in encode_spans(len(indices)):
        inverted = prepare_mask(quadmask, indices[start:end], settings.height, settings.width)
        yield (1 - mask_condition(inverted, pass_number, settings.mask_levels)).expand(-1, 3, -1, -1, -1)


def video_chunks(
    clip: NDArray[np.float32], indices: NDArray[np.intp], settings: PassSettings, noise: NoiseOf | None
) -> Iterator[torch.Tensor]:
    """What the autoencoder is given of the picture, chunk by chunk, float32 [1, 3, t, H, W]; see `noised_video`."""
    for start, end in encode_spans(len(indices)):
        video = prepare_video(clip, indices[start:end], settings.height, settings.width)
        yield noised_video(video, None if noise is None else noise(start, end))


def seeded_noise(settings: PassSettings) -> NoiseOf:
    """Noise that follows the seed, each frame's its own: it depends neither on the shot's length nor on the chunks."""

    def noise(start: int, end: int) -> torch.Tensor:
        shape = (3, settings.height, settings.width)
        streams = (np.random.default_rng((settings.seed, _NOISE_STREAM, frame)) for frame in range(start, end))
        frames = [stream.standard_normal(shape, dtype=np.float32) for stream in streams]
        return torch.from_numpy(np.stack(frames, axis=1)[None])

    return noise


def given_noise(noise: NDArray[np.float32] | torch.Tensor) -> NoiseOf:
    """Noise from an array [1, 3, Tp, H, W], without a copy of it."""
    return lambda start, end: torch.as_tensor(noise[:, :, start:end], dtype=torch.float32, device="cpu")


def noised_video(video: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
    """video [1, 3, t, H, W] in 0..1 to -1..1, with a little noise but where it is exactly black, as in training.

    noise: unit variance, of the same shape, or None for a model that was trained without.
    """
    pixels = 2 * video - 1
    return pixels if noise is None else pixels + torch.where(pixels == -1, 0.0, noise * INPAINT_NOISE)
