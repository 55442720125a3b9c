"""A LoRA for a show: trained, merged, and loaded by the code that loads the published weights."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from void_server.model import PassSettings, VoidModel, WeightsFolder
from void_server.training.clips import ClipFolder, write_pair
from void_server.training.loop import Schedule
from void_server.training.lora import train_lora
from void_server.training.pairs import make_pair

SIZE = {"height": 32, "width": 48, "window": 5}


def test_a_show_s_clips_become_weights_that_load(tmp_path: Path, tiny_folder: Path) -> None:
    for seed in (1, 3):
        write_pair(tmp_path / "show" / str(seed), make_pair(seed, frames=6, height=64, width=96), {})
    weights = WeightsFolder.find(tiny_folder)
    clips = ClipFolder(tmp_path / "show", frames=5, height=32, width=48)
    for number, before in ((1, weights.pass1), (2, weights.pass2)):
        out = tmp_path / f"void_pass{number}.safetensors"
        train_lora(
            weights,
            clips,
            tmp_path / "work",
            out,
            number=number,
            seeds=range(2),
            settings=PassSettings.pass1(**SIZE, mask_levels="quad"),
            schedule=Schedule(steps=3, others_rate=0.01, warmup=1),
            rank=2,
        )
        given, made = load_file(before), load_file(out)
        changed = {name for name in given if not torch.equal(given[name], made[name])}
        assert changed == {name for name in given if ".attn1.to_" in name and name.endswith("weight")}
        assert {tensor.dtype for tensor in made.values()} == {torch.bfloat16}
    model = VoidModel.load(weights.base, tmp_path / "void_pass1.safetensors", tmp_path / "void_pass2.safetensors")
    pair = clips(0)
    result = model.run_pass(1, pair.with_object, pair.quadmask, "", PassSettings.pass1(**SIZE, steps=1))
    assert np.isfinite(result).all()
