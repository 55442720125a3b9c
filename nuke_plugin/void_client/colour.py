"""The working space of a shot as it travels: in a job, in a bake's record, in a manifest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

from .errors import BadInput

MAX_NAME = 256
# Far beyond any real primaries; within them float32 takes a colour there and back without visible loss.
MAX_ENTRY = 1e3
MAX_CONDITION = 1e4

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


class Colour(TypedDict):
    """name: what the studio calls the space. matrix: nine numbers, row by row, its RGB to linear Rec.709 (D65)."""

    name: str
    matrix: list[float]


def linear_rec709() -> Colour:
    """What is assumed of a shot where nothing is said."""
    return {"name": "linear Rec.709", "matrix": list(IDENTITY)}


def colour(name: str, matrix: Sequence[float]) -> Colour:
    """A space as it travels: a long name is cut, a matrix within rounding of the identity becomes it.

    Raises BadInput as `fault` says.
    """
    reason = fault(matrix)
    if reason:
        raise BadInput(f"the colour space {name} {reason}: choose one with the primaries of a camera or a delivery")
    near = all(abs(entry - one) < 1e-6 for entry, one in zip(matrix, IDENTITY))
    return {"name": name[:MAX_NAME], "matrix": list(IDENTITY if near else matrix)}


def fault(matrix: Sequence[float]) -> str:
    """Why nine numbers can't be the way from a working space to linear Rec.709; empty where they can."""
    if not all(math.isfinite(entry) for entry in matrix):
        return "has a matrix with NaN or Inf in it"
    if max(abs(entry) for entry in matrix) > MAX_ENTRY:
        return f"has a matrix with entries beyond {MAX_ENTRY:g}"
    a, b, c, d, e, f, g, h, i = matrix
    cofactors = (e * i - f * h, f * g - d * i, d * h - e * g)
    others = (c * h - b * i, a * i - c * g, b * g - a * h, b * f - c * e, c * d - a * f, a * e - b * d)
    determinant = a * cofactors[0] + b * cofactors[1] + c * cofactors[2]
    # The condition in the Frobenius norm: |M| |M^-1|, the inverse being the cofactors over the determinant.
    if not math.hypot(*matrix) * math.hypot(*cofactors, *others) < MAX_CONDITION * abs(determinant):
        return "has a matrix that can't be undone"
    return ""
