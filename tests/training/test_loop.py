"""The loop: a training that was interrupted ends as one that was not, and says how it goes."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from void_server.training import loop
from void_server.training.loop import LOG, STATE, Figures, LossAt, Schedule, Training
from void_server.training.optimiser import optimisers, orthogonal

SCHEDULE = Schedule(steps=12, warmup=3, average=0.9)


def new_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv3d(2, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.Conv3d(4, 2, 1))


def losses(model: nn.Module, killed_at: int = 99) -> LossAt:
    def loss(step: int) -> tuple[torch.Tensor, Figures]:
        if step == killed_at:
            raise KeyboardInterrupt
        seen = torch.randn(1, 2, 3, 5, 5, generator=torch.Generator().manual_seed(step))
        return (model(seen) - 2 * seen).square().mean(), {"step_again": float(step)}

    return loss


def trained(folder: Path, killed_at: int = 99, schedule: Schedule = SCHEDULE) -> Training:
    model = new_model()
    training = Training(model, folder, schedule)
    training.run(losses(model, killed_at))
    return training


def test_an_interrupted_training_ends_with_the_same_bits(tmp_path: Path) -> None:
    trained(tmp_path / "whole")
    often = Schedule(steps=12, warmup=3, average=0.9, save_every=0)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "broken", killed_at=5, schedule=often)
    assert Training(new_model(), tmp_path / "broken", SCHEDULE).step == 5
    trained(tmp_path / "broken")
    assert (tmp_path / "whole" / STATE).read_bytes() == (tmp_path / "broken" / STATE).read_bytes()


def test_a_training_that_is_done_does_nothing_more(tmp_path: Path) -> None:
    trained(tmp_path)
    before = (tmp_path / STATE).read_bytes()
    trained(tmp_path, killed_at=0)
    assert (tmp_path / STATE).read_bytes() == before


def test_every_step_is_logged_once(tmp_path: Path) -> None:
    trained(tmp_path)
    lines = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 13))
    assert [line["step_again"] for line in lines] == list(range(12))


def test_the_average_is_judged_now_and_then_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "JUDGED_EVERY", 6)
    trained(tmp_path / "alone")
    model, seen = new_model(), []

    def judge() -> Figures:
        seen.append({name: weight.detach().clone() for name, weight in model.named_parameters()})
        return {"held_out": float(len(seen))}

    training = Training(model, tmp_path / "judged", SCHEDULE)
    training.run(losses(model), judge)
    assert (tmp_path / "judged" / STATE).read_bytes() == (tmp_path / "alone" / STATE).read_bytes()
    for name, weight in model.named_parameters():
        assert torch.equal(seen[-1][name], training.average[name])
        assert not torch.equal(seen[-1][name], weight)
    lines = [json.loads(line) for line in (tmp_path / "judged" / LOG).read_text().splitlines()]
    told = {line["step"]: line["held_out"] for line in lines if "held_out" in line}
    assert told == {6: 1.0, 12: 2.0}


def test_rates_rise_stay_and_fall() -> None:
    schedule = Schedule(steps=100, warmup=10, cooldown=0.2)
    assert schedule.factor(0) == pytest.approx(0.1)
    assert schedule.factor(9) == schedule.factor(79) == 1.0
    assert schedule.factor(90) == pytest.approx(0.5)
    assert schedule.factor(99) == pytest.approx(0.05)


def test_the_average_is_of_all_early_steps_alike(tmp_path: Path) -> None:
    training = Training(new_model(), tmp_path, Schedule(steps=2, average=0.5))
    first = {name: weight.detach().clone() for name, weight in training.model.named_parameters()}
    training.run(losses(training.model))
    for name, weight in training.model.named_parameters():
        assert not torch.equal(training.average[name], weight)
        assert not torch.equal(training.average[name], first[name])


def test_muon_s_update_has_singular_values_near_one() -> None:
    for shape in ((24, 100), (100, 24), (16, 16)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape, generator=torch.Generator().manual_seed(1))))
        assert values.min() > 0.3
        assert values.max() < 1.3
        assert abs(values.median() - 0.95) < 0.25


def test_each_weight_has_one_optimiser_and_frozen_ones_none() -> None:
    model = new_model()
    model[2].requires_grad_(False)
    held = [weight for optimiser in optimisers(model, 0.02, 1e-3) for weight in optimiser.param_groups[0]["params"]]
    assert {id(weight) for weight in held} == {id(weight) for layer in model[:2] for weight in layer.parameters()}
    assert len(held) == 4
