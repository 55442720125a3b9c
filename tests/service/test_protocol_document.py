"""docs/protocol.md is the protocol: the code has its messages, fields and limits, no more and no fewer."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
import zmq
from job_specs import SPEC
from void_client import protocol

from void_server.service import jobs, messages, store
from void_server.service.socket import LARGEST_FRAME
from void_server.service.supervisor import SupervisedWorker
from void_server.service.watch import Limits

DOCUMENT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")


def table(heading: str) -> dict[str, set[str]]:
    """The rows of the table under a heading: first column to the names in backquotes of the second."""
    section = DOCUMENT.split(f"{heading}\n", 1)[1].split("\n#", 1)[0]
    rows = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            rows[cells[0].strip("`")] = set(re.findall(r"`([a-z0-9_]+)`", cells[1]))
    return rows


def test_client_messages_have_the_fields_of_the_document() -> None:
    documented = table("## From client to server")
    classes = {cls.__name__.lower(): cls for cls in messages.Message.__args__}
    assert documented.keys() == classes.keys()
    for name, fields in documented.items():
        assert fields == {field.name for field in msgspec.structs.fields(classes[name])} - {"v"}, name


def test_a_job_description_has_the_fields_of_the_document() -> None:
    section = DOCUMENT.split("### `spec`", 1)[1].split("\n## ", 1)[0]
    documented = set(
        re.findall(r"`([a-z]+)`", " ".join(line.split("|")[1] for line in section.splitlines() if "| `" in line))
    )
    assert documented == {field.name for field in msgspec.structs.fields(messages.JobSpec)}


def test_a_state_has_the_fields_of_the_document(tmp_path: Path) -> None:
    job = jobs.Job("0" * 32, 1, "user", "batch", SPEC, SPEC.check(), tmp_path)
    assert table("## From server to client")["state"] == job.describe().keys()
    listed = re.search(r"list of `\{([^}]*)\}`", DOCUMENT)
    assert listed
    assert {name.strip() for name in listed[1].split(",")} == job.summary().keys()


def test_a_worker_has_the_fields_of_the_document() -> None:
    with zmq.Context() as context:
        worker = SupervisedWorker(context, [], "cpu", Limits(memory=0, decoding=0, silence=0))
        listed = re.search(r"^`\{([^}]*)\}`", DOCUMENT, re.MULTILINE)
        assert listed
        assert {name.strip() for name in listed[1].split(",")} == worker.describe().keys()
        worker.inbox.close()


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("| header | 1 MiB |", protocol.MAX_HEADER == 1 << 20),
        ("| payload (chunk) | 1 MiB |", protocol.CHUNK == 1 << 20),
        ("| chunks in flight | 8 |", protocol.IN_FLIGHT == 8),
        ("| one frame (file) | 1 GiB |", protocol.MAX_FILE == 1 << 30),
        ("| anything on the wire | 2 MiB |", LARGEST_FRAME == 2 << 20),
        ("| frames in a job | 20,000 |", protocol.MAX_FRAMES == 20_000),
        ("# The wire, version 4\n", protocol.VERSION == 4),
        ("Default address `tcp://127.0.0.1:5690`", protocol.DEFAULT_ADDRESS == "tcp://127.0.0.1:5690"),
        ("`attach` once a second", protocol.ATTACH_EVERY == 1.0),
        ("heard nothing for ten seconds", protocol.SILENCE == 10.0),
        ("300 seconds of silence", protocol.PATIENCE == 300.0),
        ("nothing has come for two seconds", protocol.LOST_AFTER == 2.0),
        ("at most 256 characters", protocol.MAX_USER == 256),
        ('`"interactive"` (somebody waits for it) or `"batch"`', protocol.PRIORITIES == ("interactive", "batch")),
        ("down twice,", store.CRASHES == 2),
        ("the whole server ten times", store.INTERRUPTIONS == 10),
    ],
)
def test_limits_are_those_of_the_document(words: str, value: bool) -> None:
    assert words in DOCUMENT
    assert value


def test_a_job_may_ask_for_the_results_of_the_document_and_for_no_other() -> None:
    row = re.search(r"^\| `result` \|.*$", DOCUMENT, re.MULTILINE)
    assert row
    assert re.findall(r'`"([a-z]+)"`', row[0]) == list(protocol.RESULTS)
    plate = {"name": "plate", "sizes": [1]}
    spec = {"first": 1, "last": 1, "inputs": {"plate": plate}, "prompt": "", "settings": {}}
    for result in protocol.RESULTS:
        assert msgspec.convert(spec | {"result": result}, messages.JobSpec).result == result
    for wrong in (spec, spec | {"result": "quadmasks"}, spec | {"result": ""}):
        with pytest.raises(msgspec.ValidationError, match="result"):
            msgspec.convert(wrong, messages.JobSpec)


def test_the_states_are_those_of_the_document() -> None:
    chain = re.search(r"receiving ─► .*", DOCUMENT)
    assert chain
    assert [*protocol.STAGES, "done"] == re.split(r" ─► ", chain[0].strip())
    quadmask = re.search(r"A job for the quadmask goes ([^:]*):", DOCUMENT)
    assert quadmask
    skipped = ("pass1", "warping", "pass2")
    assert re.findall(r"`([a-z0-9]+)`", quadmask[1]) == [s for s in (*protocol.STAGES, "done") if s not in skipped]
