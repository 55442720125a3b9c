"""nuke.env and nuke.nodes."""

from __future__ import annotations

from typing import Any

from . import _constants as c
from ._session import session


class GlobalsEnvironment:
    """nuke.env: what this Nuke is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Holds nothing of its own; all comes from the session."""
        self._changed: dict[str, Any] = {}

    def _all(self) -> dict[str, Any]:
        return {
            "gui": session().gui,
            "interactive": session().gui,
            "studio": False,
            "nukex": False,
            "indie": False,
            "nc": False,
            "ple": False,
            "assist": False,
            "hiero": False,
            "LINUX": True,
            "WIN32": False,
            "MACOS": False,
            "64bit": True,
            "threads": c.THREADS,
            "numCPUs": c.NUM_CPUS,
            "ExecutablePath": c.EXE_PATH,
            "NukeVersionMajor": c.NUKE_VERSION_MAJOR,
            "NukeVersionMinor": c.NUKE_VERSION_MINOR,
            "NukeVersionRelease": c.NUKE_VERSION_RELEASE,
            "NukeVersionString": c.NUKE_VERSION_STRING,
            "nukeVersionString": c.NUKE_VERSION_STRING,
            "PluginExt": ".so",
            **self._changed,
        }

    def __getitem__(self, index: str) -> Any:
        return self._all()[index]

    def __setitem__(self, index: str, object: Any) -> None:  # noqa: A002
        self._changed[index] = object

    def __contains__(self, other: object) -> bool:
        return other in self._all()

    def __len__(self) -> int:
        return len(self._all())

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._all().get(*args)

    def keys(self, *args: Any, **kwargs: Any) -> Any:
        return self._all().keys()

    def items(self, *args: Any, **kwargs: Any) -> Any:
        return self._all().items()

    def values(self, *args: Any, **kwargs: Any) -> Any:
        return self._all().values()


class NodeConstructor:
    """nuke.nodes.Blur: makes that node where it is called, with knobs and inputs=[...] as keywords."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """NodeConstructor(class name)."""
        self._class = str(args[0])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from ._api_nodes import construct

        return construct(self._class, kwargs)


class Nodes:
    """nuke.nodes."""

    def __getattr__(self, item: str) -> NodeConstructor:
        if item.startswith("__"):
            raise AttributeError(item)
        return NodeConstructor(item)
