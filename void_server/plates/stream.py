"""Frames through a thread pool, in order, a few at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int, ahead: int
) -> Iterator[Result]:
    """`function` of each item, in the items' order, computed on `threads` threads.

    Items are drawn as they are needed, in the caller's thread, and at most `ahead` of them are in the works
    or waiting to be fetched, so that memory does not grow with the length of the shot.

    An exception reaches the caller in place of its result. Then, and when the caller stops early (closes the
    iterator), what has not started is cancelled and what has started is waited for.
    """
    if threads < 1 or ahead < 1:
        raise ValueError(f"threads and ahead must be at least 1, not {threads} and {ahead}")
    return _ordered_map(function, items, threads, ahead)


def _ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int, ahead: int
) -> Iterator[Result]:
    pool = ThreadPoolExecutor(threads, thread_name_prefix="frames")
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) == ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
