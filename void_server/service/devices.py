"""Which devices the workers run on: what `--devices` says, and how a worker is kept to its own. Imports no torch."""

from __future__ import annotations

import ctypes
import os
import re

from .socket import CannotServe

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_NONE = "-1"  # not "", which Windows takes for unset
_NAME = re.compile(r"cpu|cuda:\d+")


def parse_devices(text: str) -> list[str]:
    """The device of each worker, such as ["cuda:0", "cuda:1"]; "auto" is every GPU that is visible, else one "cpu".

    Raises CannotServe for anything that is no device, and for a GPU that is named twice.
    """
    if text == "auto":
        return [f"cuda:{index}" for index in range(visible_gpus())] or ["cpu"]
    devices = [name.strip() for name in text.split(",")]
    for name in devices:
        if not _NAME.fullmatch(name):
            raise CannotServe(f"--devices: '{name}' is no device: write auto, cpu, cuda:0, or cuda:0,cuda:1")
        if name != "cpu" and devices.count(name) > 1:
            raise CannotServe(f"--devices: {name} is named twice, and one worker fills a GPU: name each once")
    return devices


def visible_gpus() -> int:
    """How many GPUs the driver shows to this process (by CUDA_VISIBLE_DEVICES, if that is set); 0 without a driver."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def environment(device: str) -> dict[str, str]:
    """The environment of a worker: all that it loads (an operator's engine, SAM 2) sees its own device alone."""
    ours = os.environ.get(_VISIBLE, "").strip()
    if device == "cpu":
        own = _NONE
    else:
        index = int(device.removeprefix("cuda:"))
        visible = ours.split(",") if ours else []
        own = str(index) if not ours else visible[index].strip() if index < len(visible) else _NONE
    return {**os.environ, _VISIBLE: own}
