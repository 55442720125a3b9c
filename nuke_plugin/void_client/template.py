"""The Open Job Description template of a farm job: what runs, in which order, on which machines.

    RenderInputs   nuke -t   chunks of frames of each node      where inputs are Nuke's
    Void           void      a shot a task, on a GPU; the step's environment starts a server and stops it
    Comp           nuke -x   chunks of the script's frames      where it is asked for

https://github.com/OpenJobDescription/openjd-specifications/wiki/2023-09-Template-Schemas
Nothing in it names a place on disk: that is in the parameters' values and in shots.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .errors import BadInput
from .sequences import FrameRange

Json = dict[str, Any]

SHOTS = "shots.json"
# The specification's own limits: of values in a task parameter, and of characters in a job's name.
MOST_SHOTS = 1024
LONGEST_NAME = 128
# Seconds: weights come over a network; a server that was told to stop ends within its step.
LOADING, STOPPING, NOTIFIED = 3600, 120, 60

_RULES = "--path-mapping={{Session.PathMappingRulesFile}}"
_SHOTS = "--shots={{Param.Shots}}"


def job_template(
    name: str,
    shots: Sequence[str],
    *,
    gpu_memory: int,
    script: str = "",
    rendered: FrameRange | None = None,
    comp: FrameRange | None = None,
) -> Json:
    """The template of a job with these shots. Raises BadInput where there are none, or more than a job may have.

    gpu_memory: MiB that a card must have. script: the file name of the .nk, where one is needed. rendered: the frames
    that RenderInputs covers, None where all inputs are plain files. comp: those of Comp, None where there is none.
    """
    if not 0 < len(shots) <= MOST_SHOTS:
        raise BadInput(f"a farm job takes 1 to {MOST_SHOTS} shots, not {len(shots)}: make several bundles")
    steps = [_void(shots, gpu_memory)]
    if rendered:
        steps[0]["dependencies"] = [{"dependsOn": "RenderInputs"}]
        steps.insert(0, _render_inputs(shots, rendered))
    if comp:
        steps.append(_comp(script))
    chunked: Json = {"extensions": ["TASK_CHUNKING"]} if rendered or comp else {}
    return {
        "specificationVersion": "jobtemplate-2023-09",
        **chunked,
        "name": name[:LONGEST_NAME],
        "parameterDefinitions": _parameters(script, comp),
        "steps": steps,
    }


def _parameters(script: str, comp: FrameRange | None) -> list[Json]:
    path = {"type": "PATH", "objectType": "FILE", "dataFlow": "IN"}
    parameters: list[Json] = [
        {"name": "Shots", **path, "default": SHOTS, "description": "What each shot is made of."},
        {
            "name": "Weights",
            "type": "PATH",
            "objectType": "DIRECTORY",
            "dataFlow": "NONE",
            "default": "",
            "description": "The weights folder on the workers; empty: as VOID_SERVE_WEIGHTS says there.",
        },
        {"name": "Void", "type": "STRING", "default": "void", "description": "The command `void` on the workers."},
    ]
    if script:
        parameters += [
            {"name": "Script", **path, "description": "The Nuke script."},
            {"name": "Nuke", "type": "STRING", "default": "nuke", "description": "The command that starts Nuke."},
            {"name": "ChunkSize", "type": "INT", "default": 10, "minValue": 1, "description": "Frames a Nuke task."},
        ]
    if comp:
        parameters.append(
            {"name": "Frames", "type": "STRING", "default": str(comp), "description": "What Comp renders."}
        )
    return parameters


def _render_inputs(shots: Sequence[str], rendered: FrameRange) -> Json:
    """Frames that are not a node's own are skipped by the task: one range serves all nodes."""
    return {
        "name": "RenderInputs",
        "parameterSpace": {
            "taskParameterDefinitions": [
                {"name": "Shot", "type": "STRING", "range": list(shots)},
                _chunks(str(rendered)),
            ]
        },
        "script": {
            "actions": {
                "onRun": _nuke(
                    "{{Task.File.RenderInputs}}", "--shot={{Task.Param.Shot}}", "--frames={{Task.Param.Frames}}"
                )
            },
            "embeddedFiles": [_embedded("RenderInputs", "render_inputs")],
        },
    }


def _void(shots: Sequence[str], gpu_memory: int) -> Json:
    session = "--session={{Session.WorkingDirectory}}"
    return {
        "name": "Void",
        "hostRequirements": {
            "amounts": [
                {"name": "amount.worker.gpu", "min": 1},
                {"name": "amount.worker.gpu.memory", "min": gpu_memory},
            ]
        },
        "stepEnvironments": [
            {
                "name": "Server",
                "description": "One server for the tasks of a session: the weights are loaded once.",
                "script": {
                    "actions": {
                        "onEnter": _void_farm("start", session, "--weights={{Param.Weights}}", timeout=LOADING),
                        "onExit": _void_farm("stop", session, timeout=STOPPING),
                    }
                },
            }
        ],
        "parameterSpace": {"taskParameterDefinitions": [{"name": "Shot", "type": "STRING", "range": list(shots)}]},
        "script": {"actions": {"onRun": _void_farm("task", "{{Task.Param.Shot}}", _SHOTS, _RULES)}},
    }


def _comp(script: str) -> Json:
    # The script as it was submitted does not show the new versions yet: `nuke -x` renders a copy that does.
    copy = "{{Session.WorkingDirectory}}/" + script
    return {
        "name": "Comp",
        "dependencies": [{"dependsOn": "Void"}],
        "stepEnvironments": [
            {
                "name": "Results",
                "description": "A copy of the script whose VOID nodes show what was baked.",
                "script": {
                    "actions": {"onEnter": _nuke("{{Env.File.ShowResults}}", f"--copy={copy}")},
                    "embeddedFiles": [_embedded("ShowResults", "show_results")],
                },
            }
        ],
        "parameterSpace": {"taskParameterDefinitions": [_chunks("{{Param.Frames}}")]},
        "script": {
            "actions": {"onRun": {"command": "{{Param.Nuke}}", "args": ["-x", "-F", "{{Task.Param.Frames}}", copy]}}
        },
    }


def _chunks(frames: str) -> Json:
    return {
        "name": "Frames",
        "type": "CHUNK[INT]",
        "range": frames,
        "chunks": {"defaultTaskCount": "{{Param.ChunkSize}}", "rangeConstraint": "CONTIGUOUS"},
    }


def _nuke(file: str, *arguments: str) -> Json:
    """`nuke -t` on one of ours. Nuke takes a number or a range for itself where one stands last, so none does."""
    args = ["-t", file, *arguments, _SHOTS, _RULES, "--script={{Param.Script}}"]
    return {"command": "{{Param.Nuke}}", "args": args, "cancelation": _notified()}


def _embedded(name: str, function: str) -> Json:
    """A script of two lines: the plug-in itself is on NUKE_PATH."""
    lines = f"import sys\nfrom void_nuke.farm_steps import {function}\nsys.exit({function}(sys.argv[1:]))\n"
    return {"name": name, "type": "TEXT", "filename": f"{function}.py", "data": lines}


def _void_farm(verb: str, *arguments: str, timeout: int | None = None) -> Json:
    limit: Json = {"timeout": timeout} if timeout else {}
    args = ["farm", verb, *arguments]
    return {"command": "{{Param.Void}}", "args": args, **limit, "cancelation": _notified()}


def _notified() -> Json:
    """Told before it is ended, so that it can cancel its job or take the server with it."""
    return {"mode": "NOTIFY_THEN_TERMINATE", "notifyPeriodInSeconds": NOTIFIED}
