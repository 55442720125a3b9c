"""Loading does not hold a checkpoint twice: the peak of a process of its own, against the file's size."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from void_server.model.loading import empty_transformer

LOAD = """
import sys
from pathlib import Path
import torch
from void_server.model.loading import load_transformer

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

before = peak()
model = load_transformer(Path(sys.argv[1]), Path(sys.argv[2]), device="cpu", dtype=torch.bfloat16)
for parameter in model.parameters():
    parameter.sum()  # every page has been looked at
print(peak() - before, sum(parameter.nbytes for parameter in model.parameters()))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from /proc")
def test_a_checkpoint_is_in_memory_once(tiny_folder: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    (base / "transformer").mkdir(parents=True)
    [tiny] = tiny_folder.glob("*/transformer/config.json")
    larger = {"num_attention_heads": 16, "attention_head_dim": 64, "num_layers": 14, "time_embed_dim": 256}
    (base / "transformer" / "config.json").write_text(json.dumps(json.loads(tiny.read_text()) | larger))
    shapes = {name: tensor.shape for name, tensor in empty_transformer(base).state_dict().items()}
    weights = tmp_path / "weights.safetensors"
    save_file({name: torch.rand(shape, dtype=torch.bfloat16) for name, shape in shapes.items()}, weights)
    size = weights.stat().st_size
    assert size > 300e6
    done = subprocess.run([sys.executable, "-c", LOAD, base, weights], capture_output=True, text=True, check=True)
    grown, held = map(int, done.stdout.split())
    assert held == pytest.approx(size, rel=0.01)
    assert grown <= 1.25 * size, f"{grown / size:.2f} times the file"
