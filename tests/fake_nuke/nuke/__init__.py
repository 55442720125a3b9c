"""A stand-in for Nuke's Python module, for tests: see stage.py for how they drive it.

What it offers is named as in types-nuke, and nothing else is public. Where it is known how Nuke behaves, so does this;
where it is not, it is stricter. Nothing here comes from void_server: EXRs are read and written with OpenEXR itself.
"""

from __future__ import annotations

from typing import Any as _Any

from . import _session
from ._api_nodes import (
    allNodes,
    createNode,
    delete,
    endGroup,
    exists,
    nodeCopy,
    nodePaste,
    root,
    selectAll,
    selectedNode,
    selectedNodes,
    thisClass,
    thisGroup,
    thisKnob,
    thisNode,
    thisParent,
    thisRoot,
    toNode,
)
from ._api_script import (
    REPLACE,
    addFormat,
    addView,
    channels,
    deleteView,
    dependencies,
    expression,
    filename,
    formats,
    frame,
    knobDefault,
    layers,
    modified,
    pluginAddPath,
    pluginAppendPath,
    pluginPath,
    runIn,
    sample,
    script_directory,
    scriptClear,
    scriptClose,
    scriptName,
    scriptNew,
    scriptOpen,
    scriptReadFile,
    scriptReadText,
    scriptSave,
    scriptSaveAs,
    scriptSource,
    thisView,
    value,
    views,
)
from ._api_ui import (
    alert,
    ask,
    autoplace,
    autoplaceSnap,
    clearDiskCache,
    clearRAMCache,
    critical,
    debug,
    error,
    message,
    resumePathProcessing,
    show,
    suspendPathProcessing,
    tprint,
    waitForThreadsToFinish,
    warning,
)
from ._callbacks import *
from ._constants import *
from ._env import GlobalsEnvironment, NodeConstructor, Nodes
from ._execute import cancel, execute, executeMultiple, executing
from ._format import Box, Format, FrameRange, FrameRanges, Info
from ._group import BackdropNode, Gizmo, Group, LiveGroup, Precomp, Root, Viewer
from ._knob import Knob
from ._knob_menu import Channel_Knob, ChannelMask_Knob, Enumeration_Knob, Format_Knob, MultiView_Knob
from ._knob_numbers import (
    AColor_Knob,
    Array_Knob,
    BBox_Knob,
    Boolean_Knob,
    Color_Knob,
    ColorChip_Knob,
    Disable_Knob,
    Double_Knob,
    Int_Knob,
    Unsigned_Knob,
    WH_Knob,
    XY_Knob,
)
from ._knob_text import (
    EvalString_Knob,
    File_Knob,
    Link_Knob,
    Multiline_Eval_String_Knob,
    PyScript_Knob,
    PythonKnob,
    Script_Knob,
    String_Knob,
    Tab_Knob,
    Text_Knob,
)
from ._menu import Menu, MenuItem, ToolBar, menu, toolbar
from ._node import Node
from ._progress import ProgressTask
from ._threads import executeInMainThread, executeInMainThreadWithResult
from ._undo import Undo, redo, undo

env = GlobalsEnvironment()
nodes = Nodes()
rawArgs: list[str] = []
untitled = "Untitled"
expr = expression
render = execute


class CancelledError(Exception):
    """What some of Nuke's functions raise when the user cancels."""


def __getattr__(name: str) -> _Any:
    if name in ("GUI", "INTERACTIVE"):
        return _session.session().gui
    raise AttributeError(f"module 'nuke' has no attribute {name!r}")


from ._api_script import new_root as _new_root  # noqa: E402

_session.begin(_session.Session())
_new_root()
