"""How tests drive the fake nuke: start it, press buttons, answer questions, let events happen, look at what it said.

None of this is in Nuke. `start` in a fixture and `stop` after it:

    stage.start(gui=True, nuke_path=[plugin_folder])
    node = nuke.createNode("VOID")
    stage.press(node, "bake")
    stage.wait_until(lambda: node["status"].value() == "Done")
    stage.assert_no_script_errors()
    stage.stop()
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import nuke
from nuke import _api_script, _events, _roto, _session, _substitute
from nuke._progress import Bar
from nuke._session import record_error, session

_sys_path: list[list[str]] = []


def start(gui: bool = True, nuke_path: Iterable[str | Path] = ()) -> None:
    """A fresh Nuke: empty script, no callbacks; runs the folders' init.py, then in the GUI their menu.py, as Nuke does:
    the first folder's last, and those of folders that they add with pluginAddPath. What they raise is kept in
    script_errors().
    """
    stop()
    _sys_path.append(list(sys.path))
    _fresh(gui)
    nuke.env._changed.clear()
    for folder in nuke_path:
        nuke.pluginAppendPath(str(Path(folder).resolve()))
    for name in ["init.py", "menu.py"] if gui else ["init.py"]:
        ran: set[str] = set()
        while waiting := [folder for folder in nuke.pluginPath() if folder not in ran]:
            ran.add(waiting[-1])
            _run(Path(waiting[-1]) / name)


def _run(path: Path) -> None:
    if not path.is_file():
        return
    try:
        exec(
            compile(path.read_text(encoding="utf-8"), str(path), "exec"),
            {"__name__": "__main__", "__file__": str(path)},
        )
    except Exception:  # noqa: BLE001 - Nuke starts all the same
        record_error(str(path))


def stop() -> None:
    """End it: sys.path as before start, and the plug-in's modules forgotten, so that they are imported anew."""
    if not _sys_path:
        return
    sys.path[:] = _sys_path.pop()
    for name in [name for name in sys.modules if name.startswith("void_nuke")]:
        del sys.modules[name]
    _fresh(gui=True)


def _fresh(gui: bool) -> None:
    """A session that hears nothing from the threads of those before."""
    others = frozenset(threading.enumerate()) - {threading.main_thread()}
    _session.begin(_session.Session(gui=gui, older=others))
    _api_script.new_root()


def process_events() -> int:
    """Run what executeInMainThread queued; how many calls that were."""
    count = 0
    while True:
        try:
            call = session().calls.get_nowait()
        except queue.Empty:
            return count
        call()
        count += 1


def wait_until(predicate: Callable[[], object], seconds: float = 30) -> None:
    """Run events until the predicate holds. AssertionError after so many seconds."""
    end = time.monotonic() + seconds
    while not predicate():
        if time.monotonic() > end:
            raise AssertionError(f"it did not come about within {seconds} s; script errors: {script_errors()}")
        try:
            session().calls.get(timeout=0.01)()
        except queue.Empty:
            continue


def press(node: nuke.Node, knob: str) -> None:
    """Press a button. What its script raises is in script_errors(), as Nuke would print it; one that is
    disabled or hidden cannot be pressed: AssertionError."""
    button = node[knob]
    assert isinstance(button, nuke.PyScript_Knob), f"{knob} is no button"
    assert button.enabled(), f"{knob} is disabled"
    assert button.visible(), f"{knob} is hidden"
    try:
        button.execute()
    except Exception:  # noqa: BLE001 - Nuke prints it
        record_error(f"{node.name()}.{knob}")


def label(node: nuke.Node) -> str:
    """The node's label with its [value knob] worked out."""
    return _substitute.tcl(str(node["label"].value()), node)


def paint_roto(node: nuke.Node, *shapes: list[tuple[float, float]]) -> None:
    """Draw polygons on a Roto or RotoPaint, in place of what was there."""
    node["curves"]._braced = True
    node["curves"].setValue(_roto.curves(list(shapes)))


def messages() -> list[str]:
    """What nuke.message and nuke.ask have shown so far."""
    return list(session().messages)


def answer(*answers: bool) -> None:
    """Have the next nuke.ask answered so."""
    session().answers.extend(answers)


def logged() -> list[tuple[str, str]]:
    """What nuke.error, warning, debug and critical were told: (level, text)."""
    return list(session().logged)


def script_errors() -> list[str]:
    """The tracebacks of scripts in knobs, callbacks, init.py and menu.py, and queued calls."""
    return list(session().script_errors)


def assert_no_script_errors() -> None:
    """AssertionError with the tracebacks where there are any."""
    assert not session().script_errors, "\n".join(session().script_errors)


def clear_script_errors() -> None:
    """Forget them: for tests that mean to make some."""
    session().script_errors.clear()


def progress_tasks() -> list[Bar]:
    """The progress bars on show: title, message, percent, messages (all so far), cancelled."""
    return [bar for bar in session().tasks if bar.alive]


def all_progress_tasks() -> list[Bar]:
    """Those that are gone too."""
    return list(session().tasks)


def cancel_progress(bar: Bar) -> None:
    """Press the bar's Cancel."""
    bar.cancelled = True


def cancel_next_execute() -> None:
    """Have the next nuke.execute cancelled when half its frames are written."""
    session().cancel_execute = True


def undo_names() -> list[str]:
    """The names of the undo entries, the oldest first."""
    return [entry.name for entry in session().undo_stack]


def update_ui() -> None:
    """What happens when Nuke redraws: updateUI of every node, groups' insides included."""
    for node in nuke.allNodes(group=nuke.root(), recurseGroups=True):
        _events.fire("updateUI", node)
