"""Goldens, from $VOID_SHARED or ../shared beside the repository, and models read from them."""

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from void_server.model import PassSettings, VoidModel, WeightsFolder

ROOT = Path(__file__).parents[2]
GOLDENS = Path(os.environ.get("VOID_SHARED", ROOT.parent / "shared")) / "goldens"


@dataclass(frozen=True)
class Case:
    """One golden case: what went into the reference and what came out."""

    folder: Path

    def _arrays(self, name: str) -> dict[str, np.ndarray]:
        with np.load(self.folder / f"{name}.npz") as arrays:
            return dict(arrays)

    @cached_property
    def meta(self) -> dict[str, Any]:
        return json.loads((self.folder / "meta.json").read_text())

    @cached_property
    def inputs(self) -> dict[str, np.ndarray]:
        return self._arrays("inputs")

    @cached_property
    def prepared(self) -> dict[str, np.ndarray]:
        return self._arrays("prepared")

    @cached_property
    def expected(self) -> dict[str, np.ndarray]:
        return self._arrays("expected")

    @property
    def clip(self) -> np.ndarray:
        return self.inputs["video_u8"].astype(np.float32) / 255

    @property
    def conditioning_noise(self) -> np.ndarray | None:
        noise = self.inputs.get("inpaint_noise_i8")
        return None if noise is None else noise.astype(np.float32) / 32

    @property
    def settings(self) -> PassSettings:
        meta = self.meta
        return PassSettings(
            height=meta["height"],
            width=meta["width"],
            window=meta["temporal_window_size"],
            max_frames=meta["max_video_length"],
            steps=meta["num_inference_steps"],
            guidance_scale=meta["guidance_scale"],
            negative_prompt=meta["negative_prompt"] if meta["guidance_scale"] > 1 else "",
        )


@pytest.fixture(scope="session")
def goldens() -> Path:
    if not GOLDENS.is_dir():
        pytest.skip(f"no goldens at {GOLDENS}; set VOID_SHARED to the folder that holds them")
    return GOLDENS


@pytest.fixture(scope="session")
def unit_case(goldens: Path):
    """Name of a unit case to its arrays."""
    return lambda name: Case(goldens / "model" / "cases" / name)


@pytest.fixture(scope="session")
def golden_model(goldens: Path) -> VoidModel:
    folder = goldens / "model"
    return VoidModel.load(folder / "ckpt", folder / "void_pass1.safetensors", folder / "void_pass2.safetensors")


@pytest.fixture(scope="session")
def narrow_model(goldens: Path) -> VoidModel:
    folder = goldens / "model"
    return VoidModel.load(folder / "ckpt", folder / "void_pass1_narrow.safetensors", folder / "void_pass2.safetensors")


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> VoidModel:
    weights = WeightsFolder.find(tiny_folder)
    return VoidModel.load(weights.base, weights.pass1, weights.pass2)
