"""What all tests share: small real shots, real servers, and the `void` command as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from farm_machines import Worker
from void_client.client import Client

from void_server.demo.scene import Scene
from void_server.serving import own_server

TESTS = Path(__file__).parent
# Processes started here find the tests' stand-in engines. One thread each, here and there: tests run side by side.
os.environ["PYTHONPATH"] = str(TESTS)
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.pop("OCIO", None)  # of whoever runs the tests: plates are linear Rec.709 unless a test says otherwise
os.environ.pop("PYTHONUNBUFFERED", None)  # likewise: what a program says must come out without it
CACHES = tempfile.TemporaryDirectory(prefix="void-tests-")  # removed when the tests end
os.environ["VOID_PROMPT_CACHE"] = str(Path(CACHES.name) / "prompts")
os.environ["VOID_SERVE_SPOOL"] = str(Path(CACHES.name) / "spool")

TINY_SETTINGS = "height = 32\nwidth = 48\nwindow = 13\noverlap = 8\n[pass1]\nsteps = 1\n[pass2]\nsteps = 1\n"

Void = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: processes share the files out, and none should wait for another at the end."""
    items.sort(key=lambda item: "training" not in item.path.parts)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of goldens and samples that lies beside the project."""
    folder = Path(os.environ.get("VOID_SHARED", TESTS.parent.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no {folder}: goldens and samples are not at hand (VOID_SHARED names another place)")
    return folder


@pytest.fixture(scope="session")
def scene() -> Scene:
    """A small HDR shot with overscan: six frames."""
    return Scene(width=160, height=90, count=6, overscan=4)


@pytest.fixture(scope="session")
def shot(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene on disk: plate.####.exr, roto.####.exr, affected.####.exr, 1001-1006. Not to be written to."""
    folder = tmp_path_factory.mktemp("shot")
    scene.write(folder)
    return folder


def dimming_server(log: Path) -> AbstractContextManager[str]:
    """The address of a `void serve` with the stand-in engine: the whole service, without the model."""
    return own_server(weights=None, engine="engines:Dimmer", log=log)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One for all tests that leave nothing running on it."""
    with dimming_server(tmp_path_factory.mktemp("server") / "log") as address:
        yield address


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small random weights in the real layout; not to be written to."""
    from void_server.training.tiny import write_random_weights

    folder = tmp_path_factory.mktemp("weights") / "tiny"
    write_random_weights(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_server(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a `void serve` with small random weights, through the real loading code."""
    with own_server(weights=tiny_folder, log=tmp_path_factory.mktemp("tiny") / "log") as address:
        yield address


@pytest.fixture
def client(server: str) -> Iterator[Client]:
    with Client(server) as connected:
        yield connected


@pytest.fixture(scope="session")
def void() -> Void:
    """Run the `void` command as a user does; returns status, stdout and stderr."""

    def run(
        *arguments: object, env: dict[str, str] | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "void_server", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **(env or {})},
            check=False,
        )

    return run


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    """A farm's worker, with `openjd`, `void` and the fake `nuke`."""
    made = Worker(tmp_path / "worker")
    yield made
    made.close()


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(TINY_SETTINGS)
    return path


@pytest.fixture
def arguments(shot: Path, tmp_path: Path, settings: Path, server: str) -> dict[str, object]:
    """The options of a run that works."""
    return {
        "--plate": shot / "plate.%04d.exr",
        "--roto": shot / "roto.####.exr",
        "--frames": "1001-1006",
        "--out": tmp_path / "out" / "plate.%04d.exr",
        "--settings": settings,
        "--server": server,
    }


def flat(arguments: dict[str, object]) -> list[object]:
    return [word for pair in arguments.items() for word in pair]
