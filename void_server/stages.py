"""The stages of a shot: frames a few at a time, in order, a step of progress after each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from void_server.engine import Progress
from void_server.plates.stream import ordered_map

THREADS = 2
AHEAD = 4

Item = TypeVar("Item")
Made = TypeVar("Made")


def stage(
    name: str, function: Callable[[Item], Made], items: Iterable[Item], count: int, progress: Progress
) -> Iterator[Made]:
    """`function` of each of `count` items, in order, a few at a time; a step of progress after each."""
    progress.step(name, 0, count)
    for index, made in enumerate(ordered_map(function, items, threads=THREADS, ahead=AHEAD)):
        yield made
        progress.step(name, index + 1, count)
