"""Numbers as Timeloop's front end lets users write them: ``2**14``, ``16 * 8``, ``width * depth``."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping

_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {"ceil": math.ceil, "floor": math.floor, "max": max, "min": min}
_LARGEST_EXPONENT = 64


def evaluate(text: str, variables: Mapping[str, float]) -> float:
    """The value of an arithmetic expression over numbers and ``variables``. Raises ValueError saying what is wrong."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError):
        raise ValueError("not an arithmetic expression") from None
    try:
        return float(_value(tree.body, variables))
    except (ZeroDivisionError, OverflowError, TypeError) as error:
        raise ValueError(str(error)) from None


def _value(node: ast.expr, variables: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name) if name in variables:
            return variables[name]
        case ast.Name(id=name):
            raise ValueError(f"no variable is called {name!r}")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, variables)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            exponent = _value(right, variables)
            if abs(exponent) > _LARGEST_EXPONENT:
                raise ValueError(f"the exponent {exponent:g} is too large")
            return float(_value(left, variables) ** exponent)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_value(left, variables), _value(right, variables))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS and arguments:
            return float(_FUNCTIONS[name](*(_value(argument, variables) for argument in arguments)))
        case _:
            raise ValueError(f"cannot read {ast.unparse(node)!r}")
