"""The fake Nuke offers nothing that Nuke does not, and only to the main thread. The rest of its tests lie beside it."""

from __future__ import annotations

import ast
import inspect
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nuke
import pytest
import stage

Signature = tuple[list[str], bool]  # the names of the parameters, and whether it takes any


@pytest.fixture(autouse=True)
def running() -> Iterator[None]:
    stage.start()
    yield
    stage.stop()


def _signature(function: ast.FunctionDef, method: bool) -> Signature:
    names = [argument.arg for argument in function.args.args][1 if method else 0 :]
    return [*names, *(each.arg for each in function.args.kwonlyargs)], function.args.vararg is not None


def _stubs() -> tuple[dict[str, list[Signature]], dict[str, dict[str, list[Signature]]]]:
    """The stubs' functions and variables, and their classes' members, with those of bases."""
    folder = next(Path(place) / "nuke-stubs" for place in sys.path if (Path(place) / "nuke-stubs").is_dir())
    plain: dict[str, list[Signature]] = {}
    bases: dict[str, str] = {}
    classes: dict[str, dict[str, list[Signature]]] = {}
    for name in ("_nuke", "utils", "callbacks", "colorspaces", "executeInMain", "overrides", "scripts"):
        for item in ast.parse((folder / f"{name}.pyi").read_text()).body:
            if isinstance(item, ast.FunctionDef):
                plain.setdefault(item.name, []).append(_signature(item, False))
            elif isinstance(item, ast.ClassDef):
                bases[item.name] = getattr(item.bases[0], "id", "") if item.bases else ""
                own: dict[str, list[Signature]] = {}
                for each in item.body:
                    if isinstance(each, ast.FunctionDef):
                        own.setdefault(each.name, []).append(_signature(each, True))
                    elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                        own[each.target.id] = []
                classes[item.name] = own
            elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                plain[item.target.id] = []
            elif isinstance(item, ast.Assign):
                plain |= {target.id: [] for target in item.targets if isinstance(target, ast.Name)}
    return plain, {name: _inherited(name, classes, bases) for name in classes}


def _inherited(name: str, classes: dict[str, Any], bases: dict[str, str]) -> dict[str, list[Signature]]:
    return {**_inherited(bases[name], classes, bases), **classes[name]} if name in classes else {}


def _fits(function: Any, stubs: list[Signature], method: bool) -> bool:
    """Whether a call that the stubs allow by name means the same here: no parameter is named differently."""
    parameters = list(inspect.signature(function).parameters.values())[1 if method else 0 :]
    names = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL and p.kind is not p.VAR_KEYWORD]
    merged = [name for stub, _ in stubs for name in stub]
    return any(free or names == stub[: len(names)] for stub, free in stubs) or set(names) <= set(merged)


def test_every_public_name_is_in_the_stubs_with_the_same_parameters() -> None:
    plain, classes = _stubs()
    wrong = []
    for name, thing in vars(nuke).items():
        if name.startswith("_") or name == "annotations" or inspect.ismodule(thing):
            continue
        if not inspect.isclass(thing):
            if name not in plain or (callable(thing) and plain[name] and not _fits(thing, plain[name], False)):
                wrong.append(name)
            continue
        if name not in classes:
            wrong.append(name)
            continue
        for member in (m for m in dir(thing) if not m.startswith("_") and not hasattr(BaseException, m)):
            function = getattr(thing, member)
            static = isinstance(inspect.getattr_static(thing, member), staticmethod)
            known = classes[name].get(member)
            if known is None or not _fits(function, known, not static):
                wrong.append(f"{name}.{member}")
    assert wrong == []


def test_everything_but_executeinmainthread_raises_off_the_main_thread() -> None:
    node = nuke.createNode("NoOp")
    calls: list[Any] = [nuke.root, node.name, lambda: node["label"], node["label"].value, nuke.Undo.disable]
    calls += [
        lambda: nuke.createNode("NoOp"),
        nuke.nodes.NoOp,
        lambda: nuke.ProgressTask("x"),
        lambda: nuke.message("x"),
        nuke.views,
    ]
    outcomes: list[str] = []

    def work() -> None:
        for call in calls:
            try:
                call()
            except RuntimeError as error:
                outcomes.append(str(error))

    _in_thread(work)
    assert [("main thread" in outcome) for outcome in outcomes] == [True] * len(calls)


def test_no_public_function_or_method_is_left_unguarded() -> None:
    free = {"executeInMainThread", "executeInMainThreadWithResult"}
    unguarded = []
    for name, thing in vars(nuke).items():
        if name.startswith("_") or not callable(thing) or name in free:
            continue
        if not inspect.isclass(thing):
            unguarded += [] if getattr(thing, "_guarded", False) or thing in (nuke.nodes, nuke.env) else [name]
        elif name not in ("GlobalsEnvironment", "Nodes", "NodeConstructor", "CancelledError"):
            members = [(m, getattr(thing, m)) for m in dir(thing) if not m.startswith("_")]
            unguarded += [f"{name}.{m}" for m, f in members if callable(f) and not getattr(f, "_guarded", False)]
    assert unguarded == []


def _in_thread(work: Any) -> None:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    stage.wait_until(lambda: not thread.is_alive())


def test_calls_from_a_thread_run_on_the_main_thread_and_their_mistakes_stay_there() -> None:
    seen: list[Any] = []

    def work() -> None:
        nuke.executeInMainThread(seen.append, args="single")
        seen.append(nuke.executeInMainThreadWithResult(lambda: nuke.root().firstFrame()))
        seen.append(nuke.executeInMainThreadWithResult(lambda: 1 / 0))

    _in_thread(work)
    assert seen == ["single", 1, None]
    assert "ZeroDivisionError" in stage.script_errors()[0]
    with pytest.raises(RuntimeError, match="main thread"):
        nuke.executeInMainThreadWithResult(print)
    nuke.executeInMainThread(seen.append, args=("later",))
    assert seen[-1] is None
    stage.process_events()
    assert seen[-1] == "later"


def test_a_thread_of_an_earlier_nuke_is_not_heard() -> None:
    go, seen = threading.Event(), []

    def work() -> None:
        go.wait()
        nuke.executeInMainThread(seen.append, args=(1,))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    stage.start()
    go.set()
    thread.join()
    assert stage.process_events() == 0
