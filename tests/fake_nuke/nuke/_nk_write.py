"""Scripts as text: knobs, nodes and the stack that connects them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _classes, _tcl
from . import _constants as c
from ._session import session

if TYPE_CHECKING:
    from ._knob import Knob
    from ._node import Node

IDS = {
    "String_Knob": 1,
    "File_Knob": 2,
    "Int_Knob": 3,
    "Enumeration_Knob": 4,
    "Boolean_Knob": 6,
    "Double_Knob": 7,
    "Tab_Knob": 20,
    "PyScript_Knob": 22,
    "Text_Knob": 26,
    "Link_Knob": 41,
    "Multiline_Eval_String_Knob": 43,
}
FLAGS = (
    ("+INVISIBLE", c.INVISIBLE),
    ("+DISABLED", c.DISABLED),
    ("+HIDDEN", c._HIDDEN),
    ("+STARTLINE", c.STARTLINE),
)
# What stands in the definition of a user knob, so that no line of its own follows.
IN_DEFINITION = ("Tab_Knob", "PyScript_Knob", "Text_Knob", "Link_Knob")
HEADER = f"#! {c.EXE_PATH} -nx\nversion {c.NUKE_VERSION_MAJOR}.{c.NUKE_VERSION_MINOR} v{c.NUKE_VERSION_RELEASE}\n"


def definition(knob: Knob) -> str:
    """The addUserKnob line of a knob."""
    if knob._definition:
        return f"addUserKnob {{{knob._definition}}}"
    kind = knob.Class()
    if kind not in IDS:
        raise RuntimeError(f"{knob._name}: the fake cannot save a user knob of class {kind}")
    parts = [str(IDS[kind]), _tcl.quote(knob._name)]
    if knob._label is not None:
        parts += ["l", _tcl.quote(knob._label)]
    if knob._tooltip:
        parts += ["t", _tcl.quote(knob._tooltip)]
    parts += _flag_words(knob)
    items = getattr(knob, "_items", None)
    if items is not None:
        parts += ["M", "{" + " ".join(_tcl.quote(item) for item in items) + "}"]
    if knob._range:
        parts += ["R", *(f"{limit:g}" for limit in knob._range)]
    if kind == "Tab_Knob" and knob._kind:
        parts += ["n", str(knob._kind)]
    if kind in IN_DEFINITION and knob._value:
        parts += ["T", _tcl.quote(str(knob._value))]
    return "addUserKnob {" + " ".join(parts) + "}"


def _flag_words(knob: Knob) -> list[str]:
    words = [word for word, flag in FLAGS if knob._flags & flag]
    # Buttons and booleans share a line with the knob before unless told otherwise; the others start one.
    if knob._starts_line:
        words = [word for word in words if word != "+STARTLINE"]
        if not knob._flags & c.STARTLINE:
            words.append("-STARTLINE")
    return words


def knob_lines(node: Node, flags: int) -> list[str]:
    """The node's knobs, one a line: `name value`, and the definitions of user knobs where flags ask for them."""
    lines: list[str] = []
    for knob in _ordered(node):
        if knob._flags & c.DO_NOT_WRITE and not knob._user:
            continue
        if knob._user and flags & c.WRITE_USER_KNOB_DEFS:
            lines.append(definition(knob))
        if knob._flags & c.DO_NOT_WRITE or (knob._user and knob.Class() in IN_DEFINITION):
            continue
        if flags & c.WRITE_ALL or knob._changed_from_default() or knob._flags & c.ALWAYS_SAVE:
            lines.append(f"{knob._name} {knob._word()}" if flags & (c.TO_SCRIPT | c.TO_VALUE) else knob._name)
    return lines


def _ordered(node: Node) -> list[Knob]:
    """Built-in knobs, `file_type` before the knobs it brings, then the user's in their order."""
    knobs = list(node._knobs.values())
    late = {spec.name for spec in _classes.WRITE_EXR} if node._class == "Write" else set()
    own = [knob for knob in knobs if not knob._user and knob._name not in late]
    return own + [knob for knob in knobs if knob._name in late] + [knob for knob in knobs if knob._user]


FILE_FLAGS = c.TO_SCRIPT | c.WRITE_USER_KNOB_DEFS | c.WRITE_NON_DEFAULT_ONLY


def script() -> str:
    """The whole script."""
    root = session().root
    lines = [f" {line}" for line in knob_lines(root, FILE_FLAGS)]
    head = HEADER + (f"define_window_layout_xml {{{session().layout}}}\n" if session().layout else "")
    return head + "\n".join(["Root {", " inputs 0", *lines, "}"]) + "\n" + _Writer().nodes(root._children, "", [])


def clipboard(nodes: list[Node]) -> str:
    """Nodes as nodeCopy writes them: the first open input is connected where the nodes are pasted."""
    head = f"set cut_paste_input [stack 0]\nversion {c.NUKE_VERSION_MAJOR}.{c.NUKE_VERSION_MINOR} "
    head += f"v{c.NUKE_VERSION_RELEASE}\npush $cut_paste_input\n"
    return head + _Writer().nodes(nodes, "", [_PASTED])


_PASTED: Any = object()  # what stands on the stack for the node that is selected when pasting


class _Writer:
    """Writes nodes after those they need, with `set` and `push` where the stack's top is not what comes next."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}

    def nodes(self, nodes: list[Node], indent: str, stack: list[Any]) -> str:
        ordered = _upstream_first(nodes)
        plan, pushed = self._plan(ordered, stack)
        out: list[str] = []
        for node, pushes in zip(ordered, plan, strict=True):
            out += [f"{indent}push {self._label(each)}\n" for each in pushes]
            out.append(self._node(node, indent))
            if id(node) in pushed:
                out.append(f"{indent}set {self._label(node)[1:]} [stack 0]\n")
        return "".join(out)

    def _label(self, node: Any) -> str:
        if node is None or node is _PASTED:
            return "0" if node is None else "$cut_paste_input"
        return "$" + self.names.setdefault(id(node), f"N{len(self.names) + 1:x}")

    def _plan(self, ordered: list[Node], stack: list[Any]) -> tuple[list[list[Any]], set[int]]:
        """What to push before each node, and which nodes are pushed anywhere."""
        plan: list[list[Any]] = []
        pushed: set[int] = set()
        for node in ordered:
            needed = list(reversed(taken(node, ordered, stack)))
            have = bool(needed) and stack[-len(needed) :] == needed
            pushes = [] if have else needed
            pushed |= {id(each) for each in pushes if each is not None}
            stack = [*stack, *pushes]
            stack = [*stack[: len(stack) - len(needed)], node]
            plan.append(pushes)
        return plan, pushed

    def _node(self, node: Node, indent: str) -> str:
        lines = [f"{indent}{node._class} {{"]
        lines += [f"{indent} {line}" for line in [*_inputs_line(node), *knob_lines(node, FILE_FLAGS)]]
        text = "\n".join([*lines, f"{indent}}}"]) + "\n"
        if node._class in ("Group", "LiveGroup"):
            text += self.nodes(node._children, indent + " ", []) + f"{indent}end_group\n"
        return text


def taken(node: Node, among: list[Node], stack: list[Any]) -> list[Any]:
    """The nodes that come off the stack, first the one for input 0; a mask's comes last."""
    inputs: list[Any] = [each if each in among else None for each in node._inputs]
    if stack and stack[-1] is _PASTED and node._inputs and inputs[0] is None:
        inputs[0] = _PASTED
    mask = mask_place(node)
    if mask is not None and len(inputs) > mask:
        return [*inputs[:mask], *inputs[mask + 1 :], inputs[mask]]
    return inputs


def mask_place(node: Node) -> int | None:
    """Which input is the mask's."""
    spec = _classes.SPECS.get(node._class)
    return spec.mask if spec else node._mask


def _inputs_line(node: Node) -> list[str]:
    count, mask = len(node._inputs), mask_place(node)
    if mask is not None and count > mask:
        return [f"inputs {count - 1}+1"]
    return [] if count == 1 else [f"inputs {count}"]


def _upstream_first(nodes: list[Node]) -> list[Node]:
    """The nodes, each after those it takes its inputs from, otherwise in their order."""
    ordered: list[Node] = []
    waiting = list(nodes)
    while waiting:
        node = next(n for n in waiting if not any(each in waiting for each in n._inputs))
        waiting.remove(node)
        ordered.append(node)
    return ordered
