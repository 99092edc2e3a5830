"""Statements of the compiled subset of Python, and whole functions."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from energysim.mapping.jit.expressions import Call, Expressions
from energysim.mapping.jit.kinds import INT, Number
from energysim.mapping.jit.values import Elements, Scalar, Text, Value, number, store_result


class Statements:
    """The body of one function. A variable has the kind of its first value; arrays and named tuples are names for what
    was passed, and may be named anew."""

    def __init__(
        self, names: dict[str, Value], world: dict[str, Any], call: Call, returned: tuple[Number, ...]
    ) -> None:
        self.text = Text()
        self.variables: dict[str, tuple[Number, str]] = {}
        self.names, self.returned = dict(names), returned
        self.expressions = Expressions(self.text, self.names, self.variables, world, call)
        self.loops: list[tuple[str, str]] = []  # (where `continue` goes, where `break` goes)

    def run(self, body: Sequence[ast.stmt]) -> None:
        """Raises TypeError, with the line, for what the subset lacks."""
        for statement in body:
            if self.text.ended:
                return
            lower = getattr(self, f"_{type(statement).__name__.lower()}", None)
            try:
                if lower is None:
                    raise TypeError(f"{type(statement).__name__} is not compiled")
                lower(statement)
            except TypeError as error:
                if error.args and str(error.args[0]).startswith("line "):
                    raise
                raise TypeError(f"line {statement.lineno}: {error}") from error

    # --- values ------------------------------------------------------------------------------------------------------

    def _expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self.expressions.invoke(node.value)
        elif not isinstance(node.value, ast.Constant):
            raise TypeError("an expression without effect")

    def _assign(self, node: ast.Assign) -> None:
        if isinstance(node.value, ast.Tuple):
            (target,) = node.targets
            assert isinstance(target, ast.Tuple)
            values = [self.expressions.value(item) for item in node.value.elts]
            for item, value in zip(target.elts, values, strict=True):
                self.store(item, value)
            return
        value = self.expressions.value(node.value)
        for target in node.targets:
            self.store(target, value)

    def _annassign(self, node: ast.AnnAssign) -> None:
        assert node.value is not None
        self.store(node.target, self.expressions.value(node.value))

    def _augassign(self, node: ast.AugAssign) -> None:
        old = self.expressions.scalar(node.target)
        self.store(node.target, self.expressions.binary(old, node.op, self.expressions.scalar(node.value)))

    def store(self, target: ast.expr, value: Value) -> None:
        """Assign. The first value of a name decides its kind."""
        if isinstance(target, ast.Name):
            if not isinstance(value, Scalar):
                self.names[target.id] = value
                return
            shadowed = self.names.pop(target.id, None)
            assert shadowed is None or isinstance(shadowed, Scalar)
            if target.id not in self.variables:
                self.variables[target.id] = value.kind, self.text.variable(value.kind)
            kind, place = self.variables[target.id]
        elif isinstance(target, ast.Subscript) and isinstance(value, Scalar):
            found = self.expressions.element(target)
            if isinstance(found, Elements):
                raise TypeError("assignment to a whole array")
            kind, place = found
        else:
            raise TypeError(f"assignment to {ast.unparse(target)}")
        self.text.put(f"store {kind.llvm} {self.expressions.convert(value, kind).text}, ptr {place}")

    # --- control -----------------------------------------------------------------------------------------------------

    def _pass(self, node: ast.Pass) -> None:
        pass

    def _if(self, node: ast.If) -> None:
        yes, no, after = self.text.label(), self.text.label(), self.text.label()
        self.expressions.branch(node.test, yes, no)
        self.text.begin(yes)
        self.run(node.body)
        self.text.jump(after)
        self.text.begin(no)
        self.run(node.orelse)
        self.text.follow(after)

    def _while(self, node: ast.While) -> None:
        test, body, after = self.text.label(), self.text.label(), self.text.label()
        self.text.follow(test)
        self.expressions.branch(node.test, body, after)
        self.text.begin(body)
        self._inside(node.body, test, after)
        self.text.jump(test)
        self.text.begin(after)

    def _inside(self, body: list[ast.stmt], again: str, after: str) -> None:
        self.loops.append((again, after))
        self.run(body)
        self.loops.pop()

    def _for(self, node: ast.For) -> None:
        if not isinstance(node.target, ast.Name):
            raise TypeError("a loop over more than one variable")
        if isinstance(node.iter, ast.Tuple):
            after = self.text.label()
            for item in node.iter.elts:
                again = self.text.label()
                self.store(node.target, self.expressions.value(item))
                self._inside(node.body, again, after)
                self.text.follow(again)
            self.text.follow(after)
            return
        if not (
            isinstance(node.iter, ast.Call) and isinstance(node.iter.func, ast.Name) and node.iter.func.id == "range"
        ):
            raise TypeError("a loop over neither range() nor a tuple")
        given = [self.expressions.scalar(argument, INT) for argument in node.iter.args]
        first = given[0] if len(given) > 1 else number(0)
        last = given[min(1, len(given) - 1)]
        step = given[2] if len(given) > 2 else number(1)
        self._count(node, node.target, first, last, step)

    def _count(self, node: ast.For, target: ast.Name, first: Scalar, last: Scalar, step: Scalar) -> None:
        """A step that is not a constant must be positive."""
        text, counter = self.text, self.text.variable(INT)
        test, body, again, after = (text.label() for _ in range(4))
        text.put(f"store i64 {first.text}, ptr {counter}")
        text.follow(test)
        now = Scalar(INT, text.new(f"load i64, ptr {counter}"))
        goes_on = self.expressions.compare(now, ast.Gt() if (step.constant or 0) < 0 else ast.Lt(), last)
        text.end(f"br i1 {goes_on.text}, label %{body}, label %{after}")
        text.begin(body)
        self.store(target, now)
        self._inside(node.body, again, after)
        text.follow(again)
        following = text.new(f"load i64, ptr {counter}")
        text.put(f"store i64 {text.new(f'add nsw i64 {following}, {step.text}')}, ptr {counter}")
        text.jump(test)
        text.begin(after)

    def _continue(self, node: ast.Continue) -> None:
        self.text.jump(self.loops[-1][0])

    def _break(self, node: ast.Break) -> None:
        self.text.jump(self.loops[-1][1])

    def _return(self, node: ast.Return) -> None:
        items = [] if node.value is None else node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        values = [self.expressions.scalar(item, kind) for item, kind in zip(items, self.returned, strict=True)]
        for place, value in enumerate(values):
            store_result(self.text, value, self.text.new(f"getelementptr inbounds i64, ptr %result, i64 {place}"))
        self.text.end("ret void")
