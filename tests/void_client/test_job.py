"""What a job says of itself, before any server hears of it."""

from __future__ import annotations

import getpass
import platform
from dataclasses import replace
from pathlib import Path

import pytest
from following import make_job
from void_client.client import label_of
from void_client.errors import BadInput
from void_client.farm_shots import FileShot
from void_client.sequences import FileSequence, FrameRange


def test_a_plate_of_one_file_is_refused_for_several_frames_however_it_is_asked_for(shot: Path) -> None:
    one = {"plate": FileSequence(shot, "plate.1001.exr"), "roto": FileSequence(shot, "roto.%04d.exr")}
    with pytest.raises(BadInput, match=r"plate.1001.exr is one file, the range 1001-1006 has 6 frames"):
        replace(make_job(shot), inputs=one).spec()
    with pytest.raises(BadInput, match="is one file"):
        FileShot("SH010", FrameRange(1001, 1006), one, FileSequence(shot, "out.%04d.exr")).job("a farm")


def test_one_file_is_a_plate_for_one_frame_and_a_roto_for_many(shot: Path) -> None:
    job = make_job(shot)
    still = {**job.inputs, "plate": FileSequence(shot, "plate.1001.exr")}
    spec = replace(job, inputs=still, frames=FrameRange(1001, 1001)).spec()
    assert spec["inputs"]["plate"]["name"] == "plate.1001.exr"
    held = {**job.inputs, "roto": FileSequence(shot, "roto.1001.exr")}
    assert len(set(replace(job, inputs=held).spec()["inputs"]["roto"]["sizes"])) == 1


def test_a_label_names_who_asks_and_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ana")
    assert label_of("shot.nk VOID1") == f"ana@{platform.node()} shot.nk VOID1"
    assert len(label_of("x" * 2000)) == 1000


def test_a_label_is_made_also_where_the_system_has_no_name_for_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert label_of("plate.%04d.exr") == f"@{platform.node()} plate.%04d.exr"
