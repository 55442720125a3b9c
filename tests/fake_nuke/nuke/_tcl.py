"""The Tcl that .nk files are written in: words, quotes, braces, escapes."""

from __future__ import annotations

import re
from typing import NamedTuple

ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
BARE = re.compile(r"[A-Za-z0-9_./%:#@+\-*,=~!?()<>&|^']+")


class Word(NamedTuple):
    """One word of a command; `braced` when it stood in braces, where escapes stay as they are."""

    text: str
    braced: bool = False


def commands(text: str) -> list[list[Word]]:
    """The commands of a script, one a line, each as its words; comments are dropped."""
    found: list[list[Word]] = []
    line: list[Word] = []
    pos = 0
    while pos < len(text):
        char = text[pos]
        if char == "\n":
            if line:
                found.append(line)
            line, pos = [], pos + 1
        elif char in " \t\r":
            pos += 1
        elif char == "#" and not line:
            pos = (text.find("\n", pos) + 1) or len(text)
        else:
            word, pos = _word(text, pos)
            line.append(word)
    return [*found, line] if line else found


def split(text: str) -> list[Word]:
    """The elements of a Tcl list; newlines are blanks."""
    found: list[Word] = []
    pos = 0
    while pos < len(text):
        if text[pos] in " \t\r\n":
            pos += 1
        else:
            word, pos = _word(text, pos)
            found.append(word)
    return found


def _word(text: str, pos: int) -> tuple[Word, int]:
    if text[pos] == "{":
        end = _match(text, pos, "{", "}")
        return Word(text[pos + 1 : end], True), end + 1
    if text[pos] == '"':
        return _quoted(text, pos + 1)
    return _bare(text, pos)


def _quoted(text: str, pos: int) -> tuple[Word, int]:
    out: list[str] = []
    while pos < len(text) and text[pos] != '"':
        piece, pos = _char(text, pos)
        out.append(piece)
    if pos >= len(text):
        raise RuntimeError('missing "')
    return Word("".join(out)), pos + 1


def _bare(text: str, pos: int) -> tuple[Word, int]:
    out: list[str] = []
    while pos < len(text) and text[pos] not in " \t\r\n":
        if text[pos] == "[":
            end = _match(text, pos, "[", "]")
            out.append(text[pos : end + 1])
            pos = end + 1
        else:
            piece, pos = _char(text, pos)
            out.append(piece)
    return Word("".join(out)), pos


def _char(text: str, pos: int) -> tuple[str, int]:
    if text[pos] != "\\" or pos + 1 >= len(text):
        return text[pos], pos + 1
    char = text[pos + 1]
    if char == "u":
        code = re.compile(r"[0-9a-fA-F]{1,4}").match(text, pos + 2)
        return (chr(int(code.group(), 16)), code.end()) if code else ("u", pos + 2)
    if char == "\n":
        return " ", pos + 2
    return ESCAPES.get(char, char), pos + 2


def _match(text: str, pos: int, opening: str, closing: str) -> int:
    """The index of the bracket that closes the one at `pos`; a backslash hides the next character."""
    depth, start = 0, pos
    while pos < len(text):
        char = text[pos]
        if char == "\\":
            pos += 1
        elif char == opening:
            depth += 1
        elif char == closing:
            depth -= 1
            if depth == 0:
                return pos
        pos += 1
    line = text.count("\n", 0, start) + 1
    raise RuntimeError(f"line {line}: missing {closing}")


def quote(text: str) -> str:
    """The text as one word that reads back as itself: bare where that does, else in quotes."""
    if BARE.fullmatch(text):
        return text
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in '\\"[]{}$':
        return "\\" + char
    for letter, meant in ESCAPES.items():
        if char == meant:
            return "\\" + letter
    return char if char >= " " and char != "\x7f" else f"\\u{ord(char):04x}"


def braced(text: str) -> str:
    """The text in braces where that reads back as itself, else quoted."""
    word = "{" + text + "}"
    try:
        whole = _match(word, 0, "{", "}") == len(word) - 1 and not text.endswith("\\")
    except RuntimeError:
        whole = False
    return word if whole and "\r" not in text else quote(text)
