"""Expressions in t for growing sample sizes, such as `floor(100 * sqrt(t))`.

The language is small: integers, decimals, t, + - * / ** ( ), sqrt, log, floor, ceil. Text becomes a
checked syntax tree; nothing is evaluated by Python or by SymPy. Rational arithmetic is exact, so that
`0.1 * t * 10` is a whole number.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

LONGEST_TEXT = 200
LARGEST_VALUE = 2**64
_TOKENS = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+|\b(?:t|sqrt|log|floor|ceil)\b|\*\*|[-+*/() ])+")
_FUNCTIONS = ("sqrt", "log", "floor", "ceil")
_OVERLOADED: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "negate": operator.neg,
}
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}

Value = Fraction | float


@dataclass(frozen=True)
class Expression:
    """An expression in t.

    Attributes:
        text: as written, at most 200 characters.

    Raises:
        ExpressionError: on construction, if the text is not of the language; the message says why.
    """

    text: str
    tree: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if len(self.text) > LONGEST_TEXT:
            raise ExpressionError(self.text, f"an expression has at most {LONGEST_TEXT} characters")
        if not _TOKENS.fullmatch(self.text):
            raise ExpressionError(
                self.text, "an expression holds numbers, t, + - * / ** ( ), sqrt, log, floor and ceil only"
            )
        try:
            tree = _simplified(ast.parse(self.text.strip(), mode="eval").body)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            raise ExpressionError(self.text, "it is not a well-formed expression in t") from None
        object.__setattr__(self, "tree", tree)

    def at(self, t: int) -> int:
        """The value at generation `t`, which must be a whole number."""
        try:
            value = self.fold(Fraction(t), Fraction, _exact)
        except _NoValueError as error:
            raise ExpressionError(self.text, f"at t = {t}, {error}") from None
        if isinstance(value, float):
            if not value.is_integer():
                raise ExpressionError(self.text, f"at t = {t} it is {value:g}: write floor(...) or ceil(...)")
            return int(value)
        if value.denominator != 1:
            raise ExpressionError(
                self.text, f"at t = {t} it is {float(value):g}: write floor(...) or ceil(...)"
            )
        return value.numerator

    def evaluate(self, t: Any, number: Callable[[str], Any], functions: dict[str, Callable[..., Any]]) -> Any:
        """The value in another arithmetic: Python's operators, and `functions` sqrt, log, floor and ceil."""
        table = _OVERLOADED | functions
        return self.fold(t, number, lambda name, *arguments: table[name](*arguments))

    def fold(self, t: Any, number: Callable[[str], Any], apply: Callable[..., Any]) -> Any:
        """Build a value from the tree: `number(text)` at literals, `apply(name, *arguments)` at nodes."""

        def build(node: tuple) -> Any:
            match node:
                case ("number", text):
                    return number(text)
                case ("t",):
                    return t
                case (name, *arguments):
                    return apply(name, *map(build, arguments))

        return build(self.tree)


class _NoValueError(ArithmeticError):
    """An operation without a usable result."""


class ExpressionError(ValueError):
    """Text that is not an expression in t, or has no value there."""

    def __init__(self, text: str, reason: str):
        super().__init__(reason)
        self.text, self.reason = text, reason


def _simplified(node: ast.AST) -> tuple:
    match node:
        case ast.Constant(value=bool()):
            raise ValueError
        case ast.Constant(value=int() | float() as value):
            return ("number", repr(value))
        case ast.Name(id="t"):
            return ("t",)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return ("negate", _simplified(operand))
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _simplified(operand)
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
            return (_OPERATORS[type(operator)], _simplified(left), _simplified(right))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
            return (name, _simplified(argument))
    raise ValueError


def _exact(name: str, *arguments: Value) -> Value:
    try:
        value = _operations[name](*arguments)
    except (ArithmeticError, ValueError, TypeError):
        raise _NoValueError(f"{name} has no value") from None
    if isinstance(value, complex) or not abs(value) <= LARGEST_VALUE:
        raise _NoValueError(f"the value of {name} is too large, or not real")
    return value


def _power(base: Value, exponent: Value) -> Value:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator == 1:
        digits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if digits * abs(exponent.numerator) <= 4096:
            return base**exponent.numerator
    return float(base) ** float(exponent)


def _root(x: Value) -> Value:
    if isinstance(x, Fraction) and x >= 0:
        top, bottom = math.isqrt(x.numerator), math.isqrt(x.denominator)
        if top * top == x.numerator and bottom * bottom == x.denominator:
            return Fraction(top, bottom)
    return math.sqrt(x)


_operations: dict[str, Callable[..., Value]] = _OVERLOADED | {
    "**": _power,
    "sqrt": _root,
    "log": lambda x: math.log(x),
    "floor": lambda x: Fraction(math.floor(x)),
    "ceil": lambda x: Fraction(math.ceil(x)),
}
