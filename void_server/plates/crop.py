"""Which part of a plate the model is shown."""

from __future__ import annotations

from void_server.plates.window import Window

# What the model sees around what it changes, on every side, in parts of that region's own size.
CONTEXT = 0.5

# A crop that would leave out less than this of the picture's height is none: the model was trained on whole pictures.
WORTH_IT = 0.1


def crop_window(region: Window, within: Window, width: int, height: int, pixel_aspect: float = 1.0) -> Window:
    """The part of `within` that a model of width x height (square) pixels is shown for a region, in plate pixels.

    It holds the region and around it half its size on every side, as far as `within` reaches; is of the model's shape,
    so that what it sees is not squeezed (pixel_aspect: of the plate's pixels); and is no smaller than the model's
    picture, so that nothing is enlarged on the way in. Where no such part is worth it (the region fills the picture, or
    the picture is no larger than the model's), all of `within`. Raises ValueError for a region that is not inside.
    """
    if region.union(within) != within or not (region.width and region.height):
        raise ValueError(f"the region {region} is not a part of the picture {within}")
    shape = width / height / pixel_aspect  # in plate pixels
    around = 1 + 2 * CONTEXT
    tall = max(region.height * around, region.width * around / shape, height, width / pixel_aspect / shape)
    tall = min(tall, within.height, within.width / shape)
    wide = round(tall * shape)
    tall = round(tall)
    too_small = tall < max(region.height, height) or wide < region.width
    if too_small or tall > within.height * (1 - WORTH_IT):
        return within
    x = _placed(region.x + region.width / 2, wide, within.x, within.right)
    y = _placed(region.y + region.height / 2, tall, within.y, within.bottom)
    return Window(x, y, wide, tall)


def _placed(centre: float, length: int, first: int, end: int) -> int:
    """Where a span of that length begins, around the centre and between first and end."""
    return min(max(round(centre - length / 2), first), end - length)
