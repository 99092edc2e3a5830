"""Expressions of the compiled subset of Python, as LLVM's text."""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import ModuleType
from typing import Any

from energysim.mapping.jit.kinds import BOOL, FLOAT, INT, Array, Kind, Number, Record
from energysim.mapping.jit.values import Elements, Fields, Scalar, Text, Value, convert, number, truth

_ARITHMETIC = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul"}
_BITS = {ast.BitAnd: "and", ast.BitOr: "or", ast.LShift: "shl", ast.RShift: "ashr"}
_COMPARE = {ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"}

Call = Callable[[Text, object, list[Value]], Value | None]


class Expressions:
    """Turns expressions into values. ``call`` compiles and calls another kernel."""

    def __init__(
        self,
        text: Text,
        names: dict[str, Value],
        variables: dict[str, tuple[Number, str]],
        world: dict[str, Any],
        call: Call,
    ) -> None:
        self.text, self.names, self.variables, self.world, self.call = text, names, variables, world, call

    # --- values ------------------------------------------------------------------------------------------------------

    def value(self, node: ast.expr) -> Value:
        """Raises TypeError for what the subset lacks."""
        lower = getattr(self, f"_{type(node).__name__.lower()}", None)
        if lower is None:
            raise TypeError(f"{type(node).__name__} is not compiled")
        result: Value | None = lower(node)
        if result is None:
            raise TypeError("a call without a result used as a value")
        return result

    def scalar(self, node: ast.expr, kind: Number | None = None) -> Scalar:
        value = self.value(node)
        if not isinstance(value, Scalar):
            raise TypeError(f"{ast.unparse(node)} is not a number")
        return value if kind is None else self.convert(value, kind)

    def convert(self, value: Scalar, kind: Number) -> Scalar:
        return convert(self.text, value, kind)

    def truth(self, value: Scalar) -> Scalar:
        return truth(self.text, value)

    def branch(self, node: ast.expr, yes: str, no: str) -> None:
        """Go to a block by what a condition says; the parts of ``and`` and ``or`` only as far as they matter."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self.branch(node.operand, no, yes)
        elif isinstance(node, ast.BoolOp):
            for part in node.values[:-1]:
                further = self.text.label()
                if isinstance(node.op, ast.And):
                    self.branch(part, further, no)
                else:
                    self.branch(part, yes, further)
                self.text.begin(further)
            self.branch(node.values[-1], yes, no)
        else:
            self.text.end(f"br i1 {self.truth(self.scalar(node)).text}, label %{yes}, label %{no}")

    # --- names, fields, elements -------------------------------------------------------------------------------------

    def _name(self, node: ast.Name) -> Value:
        if node.id in self.variables:
            kind, place = self.variables[node.id]
            return Scalar(kind, self.text.new(f"load {kind.llvm}, ptr {place}"))
        if node.id in self.names:
            return self.names[node.id]
        found = self.world.get(node.id)
        if isinstance(found, int | float):
            return number(found)
        raise TypeError(f"unknown name {node.id!r}")

    def _call(self, node: ast.Call) -> Value | None:
        return self.invoke(node)

    def _constant(self, node: ast.Constant) -> Value:
        if isinstance(node.value, int | float):
            return number(node.value)
        raise TypeError(f"constant {node.value!r}")

    def _attribute(self, node: ast.Attribute) -> Value:
        if isinstance(node.value, ast.Name) and isinstance(self.world.get(node.value.id), ModuleType):
            return number(getattr(self.world[node.value.id], node.attr))
        value = self.value(node.value)
        if not isinstance(value, Fields):
            raise TypeError(f"{ast.unparse(node)}: only named tuples have fields")
        first, kind = value.kind.field(node.attr)
        return self.load(value.pointer, first, kind)

    def load(self, pointer: str, slot: int, kind: Kind) -> Value:
        """What the slots of an argument hold. They never change during a call, which LLVM is told."""
        if isinstance(kind, Record):
            return Fields(kind, self.text.new(f"getelementptr inbounds i64, ptr {pointer}, i64 {slot}"))
        if isinstance(kind, Number):
            loaded = self._slot(pointer, slot, "double" if kind is FLOAT else "i64")
            return self.truth(Scalar(INT, loaded)) if kind is BOOL else Scalar(kind, loaded)
        shape = tuple(self._slot(pointer, slot + 1 + axis, "i64") for axis in range(kind.dims))
        return Elements(kind, self._slot(pointer, slot, "ptr"), shape)

    def _slot(self, pointer: str, slot: int, llvm: str) -> str:
        place = self.text.new(f"getelementptr inbounds i64, ptr {pointer}, i64 {slot}")
        return self.text.new(f"load {llvm}, ptr {place}, !invariant.load !0")

    def element(self, node: ast.Subscript) -> tuple[Number, str] | Elements:
        """(kind, place) of an element; the array that remains where fewer indices or a slice are given."""
        array = self.value(node.value)
        if not isinstance(array, Elements):
            raise TypeError(f"{ast.unparse(node.value)} is not an array")
        element = array.kind.element
        if isinstance(node.slice, ast.Slice):
            if array.kind.dims != 1 or node.slice.lower is None or node.slice.upper is None or node.slice.step:
                raise TypeError(f"{ast.unparse(node)}: a slice is array[first:last] of one dimension")
            first, last = self.scalar(node.slice.lower, INT), self.scalar(node.slice.upper, INT)
            length = self.text.new(f"sub nsw i64 {last.text}, {first.text}")
            return Elements(array.kind, self._place(element, array.pointer, first.text), (length,))
        indices = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if len(indices) > array.kind.dims:
            raise TypeError(f"{ast.unparse(node)}: {len(indices)} indices of {array.kind.dims}")
        at = "0"
        for axis, size in enumerate(array.shape):
            at = at if at == "0" else self.text.new(f"mul nsw i64 {at}, {size}")
            if axis < len(indices):
                index = self.scalar(indices[axis], INT).text
                at = index if at == "0" else self.text.new(f"add nsw i64 {at}, {index}")
        place = self._place(element, array.pointer, at)
        if len(indices) == array.kind.dims:
            return element, place
        return Elements(Array(element, array.kind.dims - len(indices)), place, array.shape[len(indices) :])

    def _place(self, element: Number, pointer: str, index: str) -> str:
        return self.text.new(f"getelementptr inbounds {element.llvm}, ptr {pointer}, i64 {index}")

    def _subscript(self, node: ast.Subscript) -> Value:
        if isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
            array, axis = self.value(node.value.value), self.scalar(node.slice).constant
            assert isinstance(array, Elements) and isinstance(axis, int)
            return Scalar(INT, array.shape[axis])
        found = self.element(node)
        if isinstance(found, Elements):
            return found
        kind, place = found
        return Scalar(kind, self.text.new(f"load {kind.llvm}, ptr {place}"))

    # --- operators ---------------------------------------------------------------------------------------------------

    def _binop(self, node: ast.BinOp) -> Scalar:
        return self.binary(self.scalar(node.left), node.op, self.scalar(node.right))

    def binary(self, left: Scalar, op: ast.operator, right: Scalar) -> Scalar:
        kind = FLOAT if FLOAT in (left.kind, right.kind) or isinstance(op, ast.Div) else INT
        a, b = self.convert(left, kind).text, self.convert(right, kind).text
        if kind is FLOAT and (isinstance(op, ast.Div) or type(op) in _ARITHMETIC):
            name = "fdiv" if isinstance(op, ast.Div) else f"f{_ARITHMETIC[type(op)]}"
            return Scalar(FLOAT, self.text.new(f"{name} double {a}, {b}"))
        if kind is INT and type(op) in _ARITHMETIC:
            return Scalar(INT, self.text.new(f"{_ARITHMETIC[type(op)]} nsw i64 {a}, {b}"))
        if kind is INT and type(op) in _BITS:
            return Scalar(INT, self.text.new(f"{_BITS[type(op)]} i64 {a}, {b}"))
        if kind is INT and isinstance(op, ast.FloorDiv | ast.Mod):
            return self._floored(a, b, isinstance(op, ast.Mod))
        raise TypeError(f"{type(op).__name__} of {left.kind.name} and {right.kind.name}")

    def _floored(self, a: str, b: str, remainder: bool) -> Scalar:
        """Rounded down as Python does, not towards zero as machines do."""
        rest = self.text.new(f"srem i64 {a}, {b}")
        signs = self.text.new(f"xor i64 {rest}, {b}")
        apart = self.text.new(f"icmp slt i64 {signs}, 0")
        some = self.text.new(f"icmp ne i64 {rest}, 0")
        below = self.text.new(f"and i1 {apart}, {some}")
        if remainder:
            more = self.text.new(f"select i1 {below}, i64 {b}, i64 0")
            return Scalar(INT, self.text.new(f"add nsw i64 {rest}, {more}"))
        quotient = self.text.new(f"sdiv i64 {a}, {b}")
        less = self.text.new(f"sext i1 {below} to i64")
        return Scalar(INT, self.text.new(f"add nsw i64 {quotient}, {less}"))

    def _unaryop(self, node: ast.UnaryOp) -> Scalar:
        if isinstance(node.op, ast.Not):
            return self._chosen(node, number(False), number(True), node.operand)
        value = self.scalar(node.operand)
        if not isinstance(node.op, ast.USub):
            raise TypeError(type(node.op).__name__)
        if value.constant is not None:
            return number(-value.constant)
        if value.kind is FLOAT:
            return Scalar(FLOAT, self.text.new(f"fneg double {value.text}"))
        return self.binary(number(0), ast.Sub(), value)

    def _compare(self, node: ast.Compare) -> Scalar:
        left, result = self.scalar(node.left), None
        for op, other in zip(node.ops, node.comparators, strict=True):
            right = self.scalar(other)
            here = self.compare(left, op, right)
            result = here if result is None else Scalar(BOOL, self.text.new(f"and i1 {result.text}, {here.text}"))
            left = right
        assert result is not None
        return result

    def compare(self, left: Scalar, op: ast.cmpop, right: Scalar) -> Scalar:
        kind = FLOAT if FLOAT in (left.kind, right.kind) else INT
        a, b, name = self.convert(left, kind).text, self.convert(right, kind).text, _COMPARE[type(op)]
        if kind is FLOAT:
            return Scalar(BOOL, self.text.new(f"fcmp {'une' if name == 'ne' else 'o' + name} double {a}, {b}"))
        return Scalar(BOOL, self.text.new(f"icmp {name if name in ('eq', 'ne') else 's' + name} i64 {a}, {b}"))

    def _boolop(self, node: ast.BoolOp) -> Scalar:
        return self._chosen(node, number(True), number(False), node)

    def _chosen(self, node: ast.expr, yes: Scalar, no: Scalar, condition: ast.expr) -> Scalar:
        first, second, after = self.text.label(), self.text.label(), self.text.label()
        place = self.text.variable(yes.kind)
        self.branch(condition, first, second)
        for label, value in ((first, yes), (second, no)):
            self.text.begin(label)
            self._leave(yes.kind, value, place, after)
        self.text.begin(after)
        return Scalar(yes.kind, self.text.new(f"load {yes.kind.llvm}, ptr {place}"))

    def _ifexp(self, node: ast.IfExp) -> Scalar:
        """Only the chosen side is computed. A number is a float where either side is."""
        text = self.text
        first, second, after = text.label(), text.label(), text.label()
        self.branch(node.test, first, second)
        text.begin(first)
        yes = self.scalar(node.body)
        text.lines, before = [], text.lines
        text.begin(second)
        no = self.scalar(node.orelse)
        kind = FLOAT if FLOAT in (yes.kind, no.kind) else INT if INT in (yes.kind, no.kind) else BOOL
        place = text.variable(kind)
        self._leave(kind, no, place, after)
        text.lines, other = before, text.lines
        text.ended = False
        self._leave(kind, yes, place, after)
        text.lines += other
        text.begin(after)
        return Scalar(kind, text.new(f"load {kind.llvm}, ptr {place}"))

    def _leave(self, kind: Number, value: Scalar, place: str, after: str) -> None:
        self.text.put(f"store {kind.llvm} {self.convert(value, kind).text}, ptr {place}")
        self.text.jump(after)

    # --- calls -------------------------------------------------------------------------------------------------------

    def invoke(self, node: ast.Call) -> Value | None:
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise TypeError(f"call of {ast.unparse(node.func)}")
        name = node.func.id
        if name in ("min", "max"):
            values = [self.scalar(argument) for argument in node.args]
            result = values[0]
            for value in values[1:]:
                result = self._extreme(result, value, ast.Lt() if name == "min" else ast.Gt())
            return result
        if name == "len":
            array = self.value(node.args[0])
            if not isinstance(array, Elements):
                raise TypeError(f"{ast.unparse(node)}: only arrays have a length")
            return Scalar(INT, array.shape[0])
        if name in ("int", "float", "bool"):
            return self._cast(name, self.scalar(node.args[0]))
        return self.call(self.text, self.world.get(name), [self.value(argument) for argument in node.args])

    def _cast(self, name: str, value: Scalar) -> Scalar:
        if name == "bool":
            return self.truth(value)
        if name == "int" and value.kind is FLOAT:
            return Scalar(INT, self.text.new(f"fptosi double {value.text} to i64"))
        return self.convert(value, INT if name == "int" else FLOAT)

    def _extreme(self, first: Scalar, second: Scalar, better: ast.cmpop) -> Scalar:
        """Python's: the first unless the second is better."""
        kind = FLOAT if FLOAT in (first.kind, second.kind) else INT
        a, b = self.convert(first, kind), self.convert(second, kind)
        wins = self.compare(b, better, a)
        chosen = f"select i1 {wins.text}, {kind.llvm} {b.text}, {kind.llvm} {a.text}"
        return Scalar(kind, self.text.new(chosen))
