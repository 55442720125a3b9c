"""A roto on keyframes and hints, through a real `void serve` with a tiny SAM 2 and a Gemini on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY_SETTINGS, Void, flat
from masks.asking import KEY
from masks.reasoner_server import MODEL, Endpoint, Reply, serving
from void_client.client import Client, Job
from void_client.errors import JobFailed
from void_client.follow import follow
from void_client.sequences import FileSequence, FrameRange

from void_server.demo.scene import Scene
from void_server.masks.grid import cells_to_pixels
from void_server.masks.hints import read_hints
from void_server.plates.exr import read_frame

FRAMES = range(1001, 1007)
GRID = (8, 14)  # of 168x98, overscan included
CELLS = ((5, 6), (5, 7), (6, 12))
SCENE = "an empty room with two lamps"
ANSWER = {
    "grid": {"rows": 8, "cols": 14},
    "scene": SCENE,
    "confidence": 0.8,
    "belongings": [],
    "affected": [
        {
            "noun": "shadow",
            "category": "visual_artifact",
            "grid_localizations": [
                {"frame": 1001, "grid_regions": [{"row": row, "col": col} for row, col in CELLS]},
            ],
        }
    ],
}
GOOD = Reply(json.dumps(ANSWER))


@dataclass(frozen=True)
class Served:
    """A server that has everything. folder: where its log, its answers and its spool are."""

    address: str
    endpoint: Endpoint
    folder: Path

    def everything(self) -> bytes:
        """All that it has written."""
        return b"".join(path.read_bytes() for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    from void_server.training.tiny_sam2 import write_random_sam2

    folder = tmp_path_factory.mktemp("masks")
    sam2 = tmp_path_factory.mktemp("sam2") / "tiny"
    write_random_sam2(sam2)
    options = {
        "--bind": "tcp://127.0.0.1:*",
        "--engine": "engines:Dimmer",
        "--sam2": sam2,
        "--reasoner": "gemini",
        "--reasoner-model": MODEL,
        "--answers": folder / "answers",
        "--spool": folder / "spool",
        "--log-level": "debug",
    }
    without_proxies = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with serving(GOOD) as endpoint, (folder / "log").open("wb") as log:
        words = [*flat(options), "--reasoner-endpoint", endpoint.url]
        process = subprocess.Popen(
            [sys.executable, "-m", "void_server", "serve", "--json", "--until-eof", *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=without_proxies | {"GEMINI_API_KEY": KEY},
            start_new_session=True,
        )
        try:
            assert process.stdout
            line = process.stdout.readline()
            assert line, (folder / "log").read_text()
            yield Served(json.loads(line)["address"], endpoint, folder)
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def answers(served: Served) -> Callable[..., None]:
    """Have the endpoint answer in this way from now on; what was asked before is forgotten."""

    def say(*replies: Reply, key: str | None = None) -> None:
        served.endpoint.replies[:] = replies
        served.endpoint.key = key
        served.endpoint.requests.clear()

    say(GOOD)
    return say


@pytest.fixture
def given(arguments: dict[str, object], served: Served) -> dict[str, object]:
    """The options of a run at that server that works."""
    return arguments | {"--server": served.address}


@pytest.fixture
def masking(given: dict[str, object], tmp_path: Path) -> dict[str, object]:
    """The options of a `void quadmask` at that server that works."""
    return given | {"--out": tmp_path / "q" / "q.%04d.exr"}


def painted(scene: Scene, frame: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """What the roto has, as it is stored: half."""
    return np.asarray(scene.object_matte(frame).astype(np.float16) >= 1 / 32)


def levels(path: Path) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A quadmask, or the layer beside a plate, as levels."""
    image = read_frame(path)
    channel = image.channel("void.quadmask" if "void.quadmask" in image.parts[0].channels else "R")
    return np.rint(channel.astype(np.float64) * 255).astype(np.int64)


def in_cells(scene: Scene) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """The pixels of the cells in the answer."""
    cells = np.zeros(GRID, bool)
    cells[tuple(zip(*CELLS, strict=True))] = True
    return cells_to_pixels(cells, scene.data_window.height, scene.data_window.width)


def ask_in_settings(tmp_path: Path, how: str, subject: str) -> Path:
    path = tmp_path / f"{how}.toml"
    path.write_text(f'ask = "{how}"\nsubject = "{subject}"\n{TINY_SETTINGS}')
    return path


def test_a_roto_is_carried_from_the_keys_named(
    void: Void, given: dict[str, object], scene: Scene, tmp_path: Path
) -> None:
    done = void("run", *flat(given | {"--roto-keys": "1001,1006"}))
    assert done.returncode == 0, done.stderr
    for frame in FRAMES:
        removed = levels(tmp_path / "out" / f"plate.{frame}.exr") == 0
        assert 0 < np.count_nonzero(removed) < removed.size
        assert np.array_equal(removed, painted(scene, frame)) == (frame in (1001, 1006))
    notices = json.loads((tmp_path / "out" / "manifest.json").read_text())["notices"]
    assert [notice for notice in notices if "painted on 2 of 6 frames" in notice]
    assert "painted on 2 of 6 frames" in done.stderr


def test_a_roto_whose_files_are_missing_in_between_is_carried_there(
    void: Void, given: dict[str, object], scene: Scene, shot: Path, tmp_path: Path
) -> None:
    for frame in (1001, 1002, 1006):
        shutil.copy(shot / f"roto.{frame}.exr", tmp_path)
    done = void("run", *flat(given | {"--roto": tmp_path / "roto.%04d.exr"}))
    assert done.returncode == 0, done.stderr
    assert "painted on 3 of 6 frames" in done.stderr
    for frame in FRAMES:
        removed = levels(tmp_path / "out" / f"plate.{frame}.exr") == 0
        assert removed.any()
        assert np.array_equal(removed, painted(scene, frame)) == (frame in (1001, 1002, 1006))


def test_without_sam2_the_frames_that_are_not_painted_are_named(
    void: Void, arguments: dict[str, object], tmp_path: Path
) -> None:
    done = void("run", *flat(arguments | {"--roto-keys": "1001,1006"}))
    assert done.returncode == 2
    for words in ("roto.####.exr", "frames 1002, 1003, 1004, 1005", "paint every frame", "weights"):
        assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_keys_that_can_not_be_are_refused_before_a_server_is_asked(void: Void, given: dict[str, object]) -> None:
    for keys, words in [("1001,1010", "1010"), ("first", "1001,1020"), ("", "1001,1020")]:
        done = void("run", *flat(given | {"--roto-keys": keys, "--server": "tcp://127.0.0.1:9"}))
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_the_answer_lies_beside_the_quadmask_and_given_back_makes_the_same_one(
    void: Void, served: Served, answers: Callable[..., None], masking: dict[str, object], scene: Scene, tmp_path: Path
) -> None:
    done = void("quadmask", *flat(masking), "--ask", "the ball")
    assert done.returncode == 0, done.stderr
    (request,) = served.endpoint.requests
    assert "the ball" in json.dumps(request.body)
    hints = tmp_path / "q" / "hints.json"
    assert read_hints(hints.read_bytes(), "kept", FRAMES, GRID).scene == SCENE
    cells = in_cells(scene)
    for frame in FRAMES:
        shown = levels(tmp_path / "q" / f"q.{frame}.exr")
        assert np.array_equal(np.isin(shown, (63, 127)), cells & (frame > 1001))
        assert np.array_equal(np.isin(shown, (0, 63)), painted(scene, frame))

    answers(Reply(end="blocked"))
    back = void("quadmask", *flat(masking | {"--hints": hints, "--out": tmp_path / "back" / "q.%04d.exr"}))
    assert back.returncode == 0, back.stderr
    assert not served.endpoint.requests
    for frame in FRAMES:
        one, other = (read_frame(tmp_path / folder / f"q.{frame}.exr") for folder in ("q", "back"))
        assert one.parts[0].channels.keys() == other.parts[0].channels.keys()
        for name, pixels in one.parts[0].channels.items():
            assert pixels.tobytes() == other.channel(name).tobytes(), (frame, name)
    assert not (tmp_path / "back" / "hints.json").exists(), "nobody was asked"

    again = void("run", *flat(masking | {"--out": tmp_path / "out" / "plate.%04d.exr"}), "--ask", "the ball")
    assert again.returncode == 0, again.stderr
    assert not served.endpoint.requests, "the answer was kept"
    assert (tmp_path / "out" / "hints.json").read_text() == hints.read_text()
    assert SCENE in " ".join(json.loads((tmp_path / "out" / "manifest.json").read_text())["notices"])
    for frame in FRAMES:
        assert np.array_equal(
            levels(tmp_path / "out" / f"plate.{frame}.exr"), levels(tmp_path / "q" / f"q.{frame}.exr")
        )


def test_who_attaches_later_gets_the_answer_too(
    void: Void, served: Served, answers: Callable[..., None], shot: Path, tmp_path: Path
) -> None:
    inputs = {name: FileSequence(shot, f"{name}.%04d.exr") for name in ("plate", "roto")}
    settings = {"height": 32, "width": 48, "window": 13, "overlap": 8, "ask": "require", "subject": "a late ball"}
    sent = Job(FrameRange(1001, 1006), inputs, "", settings, result="quadmask", roto_keys=(1002, 1005))
    with Client(served.address) as client:
        job = client.submit(sent)
        state = follow(client, job, on_frame=lambda *_: None, inputs=inputs)
        assert read_hints(state["hints"].encode(), "state", FRAMES, GRID).scene == SCENE
    done = void("attach", job, "--out", tmp_path / "late" / "q.%04d.exr", "--server", served.address)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "late" / "hints.json").read_text() == state["hints"]


def test_hints_that_can_not_be_are_refused_with_their_place(
    void: Void, given: dict[str, object], tmp_path: Path
) -> None:
    hints = tmp_path / "mine.json"
    for text, words in [
        ('{"grid":\n{"rows": 8, "cols": 14},,}', ["not valid JSON, line 2"]),
        (json.dumps(ANSWER | {"grid": {"rows": 8, "cols": 19}}), ["8 rows and 19 columns", "8 and 14"]),
        (
            json.dumps(ANSWER).replace("1001", "990"),
            ["affected[0].grid_localizations[0].frame is 990", "1001 to 1006"],
        ),
    ]:
        hints.write_text(text)
        done = void("run", *flat(given | {"--hints": hints, "--prompt": "crash"}))
        assert done.returncode == 2, done.stderr
        for word in words:
            assert word in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "out").exists()
    missing = void("run", *flat(given | {"--hints": tmp_path / "none.json"}))
    assert missing.returncode == 2
    assert "none.json" in missing.stderr


def test_where_hints_are_required_and_nobody_answers_the_engine_is_never_called(
    void: Void,
    served: Served,
    answers: Callable[..., None],
    given: dict[str, object],
    shot: Path,
    tmp_path: Path,
) -> None:
    """With this prompt the engine would take the worker along."""
    answers(Reply(end="blocked"))
    with Client(served.address) as client:
        worker = client.status()["workers"][0]["pid"]
        done = void("run", *flat(given | {"--prompt": "crash"}), "--ask", "a refused ball")
        assert done.returncode == 1, done.stderr
        assert "Gemini refuses to look at this shot" in done.stderr
        assert "roto alone" in done.stderr
        assert not (tmp_path / "out").exists()
        inputs = {name: FileSequence(shot, f"{name}.%04d.exr") for name in ("plate", "roto")}
        settings = {"height": 32, "width": 48, "window": 13, "overlap": 8, "ask": "require"}
        for result in ("plate", "quadmask"):
            sent = Job(FrameRange(1001, 1006), inputs, "crash", settings, result=result)
            job = client.submit(sent)
            with pytest.raises(JobFailed) as caught:
                follow(client, job, on_frame=lambda *_: None, inputs=inputs)
            assert (caught.value.code, caught.value.exit_code) == ("no_hints", 1)
            client.release(job)
        assert client.status()["workers"][0]["pid"] == worker


def test_where_hints_are_only_tried_for_the_shot_goes_on_without(
    void: Void,
    served: Served,
    answers: Callable[..., None],
    given: dict[str, object],
    scene: Scene,
    tmp_path: Path,
) -> None:
    """The endpoint hangs up, again and again."""
    answers(Reply(drop=True))
    done = void("run", *flat(given | {"--settings": ask_in_settings(tmp_path, "try", "a lost ball")}))
    assert done.returncode == 0, done.stderr
    assert len(served.endpoint.requests) > 1
    assert "no hints:" in done.stderr
    assert "The painted mattes alone were used" in done.stderr
    assert not (tmp_path / "out" / "hints.json").exists()
    for frame in FRAMES:
        shown = levels(tmp_path / "out" / f"plate.{frame}.exr")
        assert np.array_equal(shown, np.where(painted(scene, frame), 0, 255))


def test_a_server_with_nobody_to_ask_says_so(void: Void, arguments: dict[str, object], tmp_path: Path) -> None:
    done = void("run", *flat(arguments | {"--prompt": "crash"}), "--ask", "the ball")
    assert done.returncode == 1
    assert "nobody to ask" in done.stderr
    assert "--reasoner" in done.stderr
    tried = void("quadmask", *flat(arguments | {"--settings": ask_in_settings(tmp_path, "try", "the ball")}))
    assert tried.returncode == 0, tried.stderr
    assert "nobody to ask" in tried.stderr


def test_the_key_is_nowhere(
    void: Void, served: Served, answers: Callable[..., None], given: dict[str, object], tmp_path: Path
) -> None:
    """Neither where the endpoint doesn't know it and quotes it, nor where its answer does."""
    told = ""
    answers(GOOD, key="another key")
    refused = void("run", *flat(given), "--ask", "a ball of nobody", "--json")
    assert refused.returncode == 1
    assert "GEMINI_API_KEY" in refused.stderr, "what to check"
    told += refused.stdout + refused.stderr
    tried = void(
        "run",
        *flat(
            given
            | {
                "--settings": ask_in_settings(tmp_path, "try", "a ball of nobody"),
                "--out": tmp_path / "tried" / "plate.%04d.exr",
            }
        ),
    )
    assert tried.returncode == 0, tried.stderr
    assert "not accept the key" in (tmp_path / "tried" / "manifest.json").read_text()
    told += tried.stdout + tried.stderr
    answers(Reply(json.dumps(ANSWER | {"scene": f"a room, {KEY}"})), key=KEY)
    done = void("run", *flat(given), "--ask", "a known ball")
    assert done.returncode == 0, done.stderr
    told += done.stdout + done.stderr
    assert served.endpoint.requests[0].headers["x-goog-api-key"] == KEY, "it was there all the time"
    with Client(served.address) as client:
        told += repr((client.status(), client.jobs()))
    written = served.everything() + b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"a room, [key]" in written
    assert b"GEMINI_API_KEY" in written
    for part in (KEY, KEY[:-2], KEY[4:]):
        assert part not in told
        assert part.encode() not in written


def test_the_log_holds_no_defect(served: Served) -> None:
    """Last: of all that the tests above have asked for."""
    log = (served.folder / "log").read_text()
    assert "Traceback" not in log
    assert log
