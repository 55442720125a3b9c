from __future__ import annotations

import threading
import time

import pytest

from void_server.plates.stream import ordered_map


def test_results_come_in_order_whatever_finishes_first():
    def slow_first(index):
        time.sleep(0.02 if index % 4 == 0 else 0)
        return index * index

    assert list(ordered_map(slow_first, range(20), threads=4, ahead=6)) == [index * index for index in range(20)]
    assert list(ordered_map(slow_first, [], threads=1, ahead=1)) == []


def test_work_runs_in_parallel():
    meeting = threading.Barrier(3, timeout=10)
    list(ordered_map(lambda _: meeting.wait(), range(9), threads=3, ahead=3))


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_no_more_than_ahead_are_drawn_before_the_first_is_fetched(ahead):
    drawn = []

    def items():
        for index in range(100):
            drawn.append(index)
            yield index

    results = ordered_map(lambda index: index, items(), threads=2, ahead=ahead)
    assert drawn == []
    for fetched in range(1, 20):
        next(results)
        assert len(drawn) <= fetched + ahead - 1
    assert len(drawn) == 19 + ahead - 1


def test_an_exception_comes_in_its_turn_and_stops_the_rest():
    done = []

    def fails_at_three(index):
        if index == 3:
            raise KeyError("frame 3")
        done.append(index)
        return index

    results = ordered_map(fails_at_three, range(1000), threads=2, ahead=4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="frame 3"):
        next(results)
    assert len(done) < 10
    assert list(results) == []


def test_a_consumer_that_stops_cancels_what_has_not_started():
    started, release = [], threading.Event()

    def wait(index):
        started.append(index)
        if index > 0:
            release.wait(10)

    results = ordered_map(wait, range(100), threads=1, ahead=8)
    next(results)
    threading.Timer(0.05, release.set).start()
    results.close()
    assert started in ([0], [0, 1])
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("frames")]


def test_senseless_sizes_are_refused_at_once():
    for threads, ahead in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            ordered_map(str, [1], threads=threads, ahead=ahead)
