"""Nuke's expressions, as far as tests need them: numbers or whole pictures, operators, ?:, a few functions, names."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

Resolver = Callable[[str], Any]
Thunk = Callable[[Resolver], Any]
TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>\$?[A-Za-z_]\w*(?:\.\w+)*)"
    r"|(?P<tcl>\[[^\]]*\])|(?P<op>\*\*|==|!=|<=|>=|&&|\|\||[-+*/%^<>!?:(),]))"
)
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "min": lambda *values: _fold(np.minimum, values),
    "max": lambda *values: _fold(np.maximum, values),
    "clamp": lambda value, low=0.0, high=1.0: np.minimum(np.maximum(value, low), high),
    "int": np.trunc,
    "floor": np.floor,
    "ceil": np.ceil,
    "sqrt": np.sqrt,
    "pow": lambda base, power: np.power(np.asarray(base, float), power),
    "exists": lambda value: value,
}
BINARY: dict[str, tuple[int, Callable[[Any, Any], Any]]] = {
    "||": (2, lambda a, b: _number(_true(a) | _true(b))),
    "&&": (3, lambda a, b: _number(_true(a) & _true(b))),
    "==": (4, lambda a, b: _number(np.equal(a, b))),
    "!=": (4, lambda a, b: _number(np.not_equal(a, b))),
    "<": (5, lambda a, b: _number(np.less(a, b))),
    ">": (5, lambda a, b: _number(np.greater(a, b))),
    "<=": (5, lambda a, b: _number(np.less_equal(a, b))),
    ">=": (5, lambda a, b: _number(np.greater_equal(a, b))),
    "+": (6, lambda a, b: a + b),
    "-": (6, lambda a, b: a - b),
    "*": (7, lambda a, b: a * b),
    "/": (7, lambda a, b: _divide(a, b)),
    "%": (7, lambda a, b: np.fmod(a, b)),
    "^": (9, lambda a, b: np.power(np.asarray(a, float), b)),
    "**": (9, lambda a, b: np.power(np.asarray(a, float), b)),
}


def _fold(function: Callable[[Any, Any], Any], values: tuple[Any, ...]) -> Any:
    out = values[0]
    for value in values[1:]:
        out = function(out, value)
    return out


def _true(value: Any) -> Any:
    return np.not_equal(value, 0)


def _number(value: Any) -> Any:
    return np.where(value, 1.0, 0.0)


def _divide(a: Any, b: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(np.asarray(a, float), b)


def _choose(condition: Thunk, yes: Thunk, no: Thunk) -> Thunk:
    """?: of thunks; of a single number only the branch that is taken is asked for."""

    def choose(names: Resolver) -> Any:
        chosen = _true(condition(names))
        if np.ndim(chosen) == 0:
            return (yes if chosen else no)(names)
        return np.where(chosen, yes(names), no(names))

    return choose


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.tokens, self.at = text, self._tokens(text), 0

    def _tokens(self, text: str) -> list[tuple[str, str]]:
        found, pos = [], 0
        text = text.rstrip()
        while pos < len(text):
            match = TOKEN.match(text, pos)
            if match is None:
                raise RuntimeError(f"expression {text!r}: cannot read {text[pos:]!r}")
            found.append((str(match.lastgroup), match.group(str(match.lastgroup))))
            pos = match.end()
        return found

    def peek(self) -> str:
        kind, text = self.tokens[self.at] if self.at < len(self.tokens) else ("op", "")
        return text if kind == "op" else ""

    def expect(self, op: str) -> None:
        if self.peek() != op:
            raise RuntimeError(f"expression {self.text!r}: {op!r} is missing")
        self.at += 1

    def ternary(self) -> Thunk:
        condition = self.binary(0)
        if self.peek() != "?":
            return condition
        self.at += 1
        yes = self.ternary()
        self.expect(":")
        return _choose(condition, yes, self.ternary())

    def binary(self, least: int) -> Thunk:
        left = self.unary()
        while self.peek() in BINARY and BINARY[self.peek()][0] >= least:
            strength, function = BINARY[self.peek()]
            self.at += 1
            left = _apply(function, left, self.binary(strength + 1))
        return left

    def unary(self) -> Thunk:
        op = self.peek()
        if op not in ("-", "+", "!"):
            return self.atom()
        self.at += 1
        inner = self.binary(8)
        if op == "!":
            return lambda names: _number(~_true(inner(names)))
        return inner if op == "+" else lambda names: -inner(names)

    def atom(self) -> Thunk:
        if self.at >= len(self.tokens):
            raise RuntimeError(f"expression {self.text!r} ends too soon")
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return lambda names: float(text)
        if kind == "tcl" or (kind == "name" and self.peek() != "("):
            return lambda names: names(text)
        if kind == "op" and text == "(":
            inner = self.ternary()
            self.expect(")")
            return inner
        if kind == "name" and text in FUNCTIONS:
            return self.call(FUNCTIONS[text])
        raise RuntimeError(f"expression {self.text!r}: {text!r} is not known")

    def call(self, function: Callable[..., Any]) -> Thunk:
        self.expect("(")
        arguments = [self.ternary()]
        while self.peek() == ",":
            self.at += 1
            arguments.append(self.ternary())
        self.expect(")")
        return lambda names: function(*(argument(names) for argument in arguments))


def _apply(function: Callable[[Any, Any], Any], left: Thunk, right: Thunk) -> Thunk:
    return lambda names: function(left(names), right(names))


def evaluate(text: str, names: Resolver) -> Any:
    """The value of an expression; `names` tells those of names and of [Tcl]. RuntimeError where it is none."""
    parser = _Parser(text)
    value = parser.ternary()
    if parser.at != len(parser.tokens):
        raise RuntimeError(f"expression {text!r}: {parser.tokens[parser.at][1]!r} is too much")
    return value(names)
