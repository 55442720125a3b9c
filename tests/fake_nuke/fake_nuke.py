"""The fake Nuke as a command, for what runs in terminals and on farms.

    python fake_nuke.py -t script.py ARGS...
    python fake_nuke.py -x [-F 1001-1006]... script.nk
    python fake_nuke.py -X Write1,VOID1.Write2 [-F 1001-1006]... script.nk

As in Nuke, options stand before the script's name; what stands after it is the script's. -i, -c, -m N and -V are
taken and change nothing; --cont goes on after a frame that failed. NUKE_PATH names the folders whose init.py runs
first. The exit status is the script's, or 1 where a render fails.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from pathlib import Path

sys.path[0:0] = [folder for folder in [str(Path(__file__).parent)] if folder not in sys.path]

import nuke  # noqa: E402
import stage  # noqa: E402


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    try:
        options, rest = _options(arguments)
    except ValueError as error:
        print(f"{error}\n{__doc__}", file=sys.stderr)
        return 2
    folders = [folder for folder in os.environ.get("NUKE_PATH", "").split(os.pathsep) if folder]
    stage.start(gui=False, nuke_path=folders)
    nuke.rawArgs[:] = [nuke.EXE_PATH, *arguments]
    return _terminal(rest) if "-t" in options else _render(rest[0], options)


def _options(arguments: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """The options with their values, and what follows: the script and its arguments. ValueError for wrong ones."""
    options: dict[str, list[str]] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option not in ("-t", "-x", "-X", "-F", "-i", "-c", "-m", "-V", "--cont"):
            raise ValueError(f"unknown option {option}")
        options.setdefault(option, [])
        if option in ("-F", "-X", "-m"):
            options[option].append(rest.pop(0) if rest else "")
    if not rest or not {"-t", "-x", "-X"} & set(options):
        raise ValueError("one of -t, -x and -X is wanted, and a script")
    if "-t" not in options and {"-F", "-X"} & set(rest[1:]):
        raise ValueError("Nuke takes -F and -X before the script's name; after it they are the script's arguments")
    return options, rest


def _terminal(arguments: list[str]) -> int:
    """nuke -t script.py ARGS: the script as __main__. A number or a range at the end Nuke takes for itself."""
    if len(arguments) > 1 and re.fullmatch(r"-?\d+(--?\d+)?", arguments[-1]):
        arguments = arguments[:-1]
    script = Path(arguments[0])
    sys.argv = list(arguments)
    names = {"__name__": "__main__", "__file__": str(script)}
    try:
        exec(compile(script.read_text(encoding="utf-8"), str(script), "exec"), names)
    except SystemExit as end:
        return _status(end.code)
    except Exception:  # noqa: BLE001 - Nuke prints it and ends
        traceback.print_exc()
        return 1
    return 0


def _status(code: object) -> int:
    if code is None or isinstance(code, int):
        return int(code or 0)
    print(code, file=sys.stderr)
    return 1


def _render(script: str, options: dict[str, list[str]]) -> int:
    """The script's enabled Writes, by render_order, or those named, over -F or the root's range."""
    try:
        nuke.scriptOpen(script)
        for write in _writes(",".join(options.get("-X", []))):
            frames = nuke.FrameRanges(options.get("-F") or [_root_range()])
            nuke.execute(write, frames, continueOnError="--cont" in options)
    except (RuntimeError, OSError) as error:
        print(f"{script}: {error}", file=sys.stderr)
        return 1
    return 0


def _root_range() -> str:
    root = nuke.root()
    return f"{root.firstFrame()}-{root.lastFrame()}"


def _writes(names: str) -> list[nuke.Node]:
    """The Writes named; else all enabled ones, those in groups too, as Nuke finds them."""
    if names:
        found = [(name, nuke.toNode(name)) for name in names.split(",")]
        for name, node in found:
            if node is None:
                raise RuntimeError(f"no node is named {name!r}")
        return [node for _, node in found if node is not None]
    writes = nuke.allNodes("Write", group=nuke.root(), recurseGroups=True)
    enabled = [node for node in reversed(writes) if not node["disable"].value()]
    return sorted(enabled, key=lambda node: float(node["render_order"].value()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
