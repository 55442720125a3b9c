"""Scripts read: every command of a .nk file, connections by the stack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from . import _classes, _events, _knob, _knob_menu, _knob_text, _make, _nk_write, _tcl
from ._session import session

if TYPE_CHECKING:
    from ._group import Group
    from ._knob import Knob
    from ._node import Node

KINDS = {number: name for name, number in _nk_write.IDS.items()}
FLAG_BITS = dict(_nk_write.FLAGS)


class Reader:
    """Reads one script into a group; `made` are the nodes of its top level."""

    def __init__(self, group: Group, pasted_on: Node | None = None, number: bool = False) -> None:
        self.number = number  # whether names at the top get a number, as those of new nodes do
        self.groups: list[Group] = [group]
        self.stacks: list[list[Node | None]] = [[pasted_on]]
        self.variables: dict[str, Node | None] = {}
        self.made: list[Node] = []
        self.due: list[Node] = []  # those whose onCreate comes next

    def read(self, text: str) -> None:
        """Read a script; a node's onCreate fires once it is made, a group's at its end. RuntimeError for bad text."""
        for words in _tcl.commands(text):
            session().loading += 1
            try:
                self.command(words)
            finally:
                session().loading -= 1
            while self.due:
                _events.fire("onCreate", self.due.pop(0))
        if len(self.groups) > 1:
            raise RuntimeError(f"end_group is missing: group {self.groups[-1]._name} is still open")

    def command(self, words: list[_tcl.Word]) -> None:
        name = words[0].text
        known = getattr(self, f"do_{name}", None)
        if known is not None:
            known(*words[1:])
        elif len(words) == 2 and words[1].braced and re.fullmatch(r"[A-Za-z_][\w.]*", name):
            self.node(name, words[1].text)
        else:
            raise RuntimeError(f"unknown command {' '.join(word.text for word in words)[:80]!r}")

    def do_version(self, *words: _tcl.Word) -> None:
        """Any version is read."""

    def do_define_window_layout_xml(self, layout: _tcl.Word) -> None:
        session().layout = layout.text

    def do_set(self, name: _tcl.Word, value: _tcl.Word) -> None:
        match = re.fullmatch(r"\[stack (\d+)\]", value.text)
        if match is None:
            raise RuntimeError(f"set {name.text}: only [stack N] is known, not {value.text!r}")
        stack, depth = self.stacks[-1], int(match.group(1))
        self.variables[name.text] = stack[-1 - depth] if depth < len(stack) else None

    def do_push(self, what: _tcl.Word) -> None:
        if what.text == "0":
            self.stacks[-1].append(None)
        elif what.text.startswith("$") and what.text[1:] in self.variables:
            self.stacks[-1].append(self.variables[what.text[1:]])
        else:
            raise RuntimeError(f"push {what.text}: no such variable")

    def do_clone(self, *words: _tcl.Word) -> None:
        raise RuntimeError("clones are not read by the fake nuke")

    def do_end_group(self) -> None:
        if len(self.groups) < 2:
            raise RuntimeError("end_group without a group")
        group = self.groups.pop()
        self.stacks.pop()
        del group._inputs[group.maxInputs() :]
        self.due.append(group)

    def node(self, class_name: str, body: str) -> None:
        lines = _tcl.commands(body)
        if class_name == "Root":
            apply_knobs(session().root, [line for line in lines if line[0].text != "inputs"])
            return
        group = self.groups[-1]
        node = _make.node(class_name, group)
        connect(node, self._taken(lines))
        wanted = next((line[1].text for line in lines if line[0].text == "name" and len(line) > 1), "")
        if self.number and wanted and len(self.groups) == 1 and not wanted[-1].isdigit():
            wanted += "1"
        _make.adopt(node, group, wanted)
        apply_knobs(node, [line for line in lines if line[0].text not in ("inputs", "name")])
        self.stacks[-1].append(node)
        if len(self.groups) == 1:
            self.made.append(node)
        if class_name in ("Group", "LiveGroup"):
            self.groups.append(node)
            self.stacks.append([])
        else:
            self.due.append(node)

    def _taken(self, lines: list[list[_tcl.Word]]) -> tuple[list[Node | None], int]:
        """The nodes that come off the stack, first the one for input 0, and how many of them are masks."""
        text = next((line[1].text for line in lines if line[0].text == "inputs"), "1")
        match = re.fullmatch(r"(\d+)(?:\+(\d+))?", text)
        if match is None:
            raise RuntimeError(f"inputs {text}: no such number")
        masks = int(match.group(2) or 0)
        stack = self.stacks[-1]
        count = int(match.group(1)) + masks
        return [stack.pop() if stack else None for _ in range(count)], masks


def connect(node: Node, taken: tuple[list[Node | None], int]) -> None:
    """Connect what came off the stack; masks come last there, and go to the class's place for them."""
    inputs, masks = taken
    if masks > 1:
        raise RuntimeError(f"{node._class}: more than one mask input")
    if masks:
        known = node._class in _classes.SPECS
        place = _nk_write.mask_place(node) if known else len(inputs) - 1
        if place is None:
            raise RuntimeError(f"{node._class}: has no mask input")
        node._mask = None if known else place
        regular, mask = inputs[:-1], inputs[-1]
        regular += [None] * (place - len(regular))
        inputs = [*regular[:place], mask, *regular[place:]]
    for index, each in enumerate(inputs):
        if each is not None:
            node._connect(index, each)


def apply_knobs(node: Node, lines: list[list[_tcl.Word]]) -> None:
    """Set knobs from `name value` lines. Those a class does not have are kept as text."""
    for words in lines:
        name = words[0].text
        if len(words) != 2:
            raise RuntimeError(f"{node._name}: cannot read {' '.join(word.text for word in words)[:80]!r}")
        if name == "addUserKnob":
            _make.put_user(node, user_knob(words[1].text))
            continue
        knob = node._knobs.get(name) or _opaque(node, name)
        knob._load(words[1].text, words[1].braced)
        node._settled(knob)


def _opaque(node: Node, name: str) -> Knob:
    if node._class == "Write" and name in {spec.name for spec in _classes.WRITE_EXR}:
        raise RuntimeError(f"{node._name}: no such knob {name}; file_type must be exr before it")
    knob = _knob.Knob(name)
    _make.put(node, knob)
    return knob


def user_knob(text: str) -> Knob:
    """The knob that `addUserKnob {text}` makes."""
    number, name, *rest = _tcl.split(text)
    kind = KINDS.get(int(number.text))
    knob = _make.knob_class(kind)(name.text) if kind else _knob.Knob(name.text)
    knob._user = True
    if kind is None:
        knob._definition = text
        return knob
    words = iter(rest)
    for word in words:
        _option(knob, word.text, words)
    return knob


def _option(knob: Knob, word: str, rest: Any) -> None:
    if word[0] in "+-":
        _flag(knob, word)
    elif word == "l":
        knob._label = next(rest).text
    elif word == "t":
        knob._tooltip = next(rest).text
    elif word == "R":
        knob._range = (float(next(rest).text), float(next(rest).text))
    elif word == "M" and isinstance(knob, _knob_menu.Enumeration_Knob):
        knob._items = [item.text for item in _tcl.split(next(rest).text)]
    elif word == "n" and isinstance(knob, _knob_text.Tab_Knob):
        knob._kind = int(next(rest).text)
    elif word == "T":
        knob._value = next(rest).text
    else:
        raise RuntimeError(f"addUserKnob {knob._name}: {word!r} is not known")


def _flag(knob: Knob, word: str) -> None:
    bits = FLAG_BITS.get("+" + word[1:])
    if bits is None:
        raise RuntimeError(f"addUserKnob {knob._name}: the flag {word!r} is not known")
    knob._flags = knob._flags | bits if word[0] == "+" else knob._flags & ~bits
