"""The simulation of a farm, held against arithmetic where arithmetic has an answer."""

from dataclasses import replace

import pytest

from bench.scale import LOADING, OPERATIONS, Farm, Simulation

SAME = Farm(gpus=1, shots=20, frames=80, spread=0.0)  # every shot alike, all of them there at the start


def test_one_card_takes_one_shot_after_another() -> None:
    farm = replace(SAME, storage=1e15, link=1e15)
    outcome = Simulation(farm).run()
    one = 80 * farm.outside + OPERATIONS / farm.sustained
    assert outcome.end == pytest.approx(LOADING + 20 * one, rel=1e-6)
    assert [shot.begun for shot in outcome.shots] == pytest.approx([LOADING + i * one for i in range(20)], rel=1e-6)


def test_with_endless_cards_the_storage_is_what_takes_the_time() -> None:
    farm = replace(SAME, gpus=20, sustained=1e30, outside=0.0, storage=1e8, link=1e15)
    outcome = Simulation(farm).run()
    size = 20 * 80 * (farm.read + farm.written)
    assert outcome.moved == pytest.approx(size, rel=1e-6)
    # All are read first, side by side, and then written.
    assert outcome.end == pytest.approx(size / 1e8, rel=1e-3)


def test_a_slow_link_holds_its_own_workstation_alone() -> None:
    farm = replace(SAME, gpus=4, shots=4, sustained=1e30, outside=0.0, storage=1e15, link=1e7)
    outcome = Simulation(farm).run()
    # Two workstations of two cards: two shots over each link, there and back; they load meanwhile.
    assert outcome.end == pytest.approx(2 * 80 * (farm.read + farm.written) / 1e7, rel=1e-3)


def test_the_next_shot_is_received_while_one_is_computed() -> None:
    slow = replace(SAME, storage=5e7, link=5e7)
    reading = 80 * slow.read / slow.storage
    assert reading < slow.compute(80)
    outcome = Simulation(slow).run()
    gaps = [b.begun - a.begun for a, b in zip(outcome.shots[1:], outcome.shots[2:], strict=False)]
    assert gaps == pytest.approx([slow.compute(80)] * len(gaps), rel=1e-6)


@pytest.mark.parametrize(("frames", "windows"), [(9, 1), (85, 1), (86, 2), (154, 2), (155, 3)])
def test_windows_overlap(frames: int, windows: int) -> None:
    farm = replace(SAME, outside=0.0)
    assert farm.compute(frames) == pytest.approx(windows * OPERATIONS / farm.sustained)


def test_every_shot_comes_back_once_and_in_no_less_than_its_own_time() -> None:
    farm = Farm(gpus=7, shots=60, over=3600.0)
    shots = Simulation(farm).run().shots
    assert len(shots) == len({id(shot) for shot in shots}) == 60
    for shot in shots:
        least = shot.frames * (farm.read + farm.written) / farm.link + farm.compute(shot.frames)
        assert shot.ended - shot.asked >= least * (1 - 1e-9)
