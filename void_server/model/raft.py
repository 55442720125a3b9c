"""RAFT-large (arXiv 2003.12039) in torchvision's form: the optical flow that the published code warps noise along.

Needs the optional extra `raft` (torchvision) and a weights file that the operator has; nothing is downloaded.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from void_server.model.flow import check_pair

_MULTIPLE = 8  # RAFT works on an eighth of the size
_SMALLEST = 128  # of which its pyramid halves the sides three times more


class FlowUnavailable(ValueError):
    """A flow estimator that cannot be had here; the message says what to install or which file to give."""


class RaftFlow:
    """RAFT-large with weights from a file. A FlowEstimator."""

    def __init__(self, weights: Path, device: str = "cpu") -> None:
        """weights: .pth or .safetensors with torchvision's names (raft_large_C_T_SKHT_V2). Raises FlowUnavailable."""
        tensors = _read(weights)
        self._network = _network()
        self._device = device
        try:
            self._network.load_state_dict(tensors)
        except RuntimeError as error:
            raise FlowUnavailable(
                f"{weights} is not of RAFT-large as torchvision has it ({_short(error)}); "
                "give raft_large_C_T_SKHT_V2-ff5fadd5.pth"
            ) from error
        self._network.eval().requires_grad_(False).to(device)

    @torch.inference_mode()
    def __call__(self, first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float32]:
        """See FlowEstimator. Raises ValueError for frames under 16 pixels or of two sizes."""
        check_pair(first, second)
        height, width = first.shape[:2]
        flow = self._network(self._prepared(first), self._prepared(second))[-1][0, :, :height, :width]
        return np.ascontiguousarray(flow.float().cpu().numpy())

    def _prepared(self, frame: NDArray[Any]) -> torch.Tensor:
        """[h, w, 3] to [1, 3, H, W] in -1..1, its last row and column repeated up to a size that RAFT takes."""
        pixels = torch.from_numpy(np.ascontiguousarray(frame)).to(self._device)
        scaled = pixels.float() / 255 if frame.dtype == np.uint8 else pixels.float().clamp(0, 1)
        height, width = (max(_SMALLEST, -(-side // _MULTIPLE) * _MULTIPLE) for side in frame.shape[:2])
        missing = (0, width - frame.shape[1], 0, height - frame.shape[0])
        return F.pad(scaled.permute(2, 0, 1)[None] * 2 - 1, missing, mode="replicate")


def _network() -> Any:
    try:
        from torchvision.models.optical_flow import raft_large
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision built for another torch
        raise FlowUnavailable(
            f"RAFT needs torchvision, which cannot be imported ({_short(error)}); "
            "pip install 'void-for-nuke[raft]', in the version that goes with this torch, or leave RAFT out"
        ) from error
    return raft_large(weights=None)


def _read(path: Path) -> dict[str, torch.Tensor]:
    """Tensors by name. A .pth is unpickled with nothing but tensors allowed in it. Raises FlowUnavailable."""
    try:
        if path.suffix == ".safetensors":
            tensors = load_file(path)
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise FlowUnavailable(f"RAFT's weights cannot be read from {path} ({error.strerror or error})") from error
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise FlowUnavailable(
            f"{path} does not hold tensors alone, or is damaged ({_short(error)}); "
            "give a .safetensors or a .pth of a state dict"
        ) from error
    if not isinstance(tensors, dict) or not all(isinstance(value, torch.Tensor) for value in tensors.values()):
        raise FlowUnavailable(f"{path} is not a state dict; give the weights alone, by name")
    return tensors


def _short(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
