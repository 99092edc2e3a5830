"""The operator table: one small pure function per operator class, from a call to the steps it stands for.

An operator that no function claims is *unmodelled*: it stays in the graph, its words move, and it is listed by name.
"""

from __future__ import annotations

from collections.abc import Callable

from energysim.graph.ir import Call, Step
from energysim.graph.layers import LayerKind

Formula = Callable[[Call], tuple[Step, ...]]

_FORMULAS: dict[str, Formula] = {}


def operator(*names: str) -> Callable[[Formula], Formula]:
    """Register a formula for operators by name (aten names bare, others as ``namespace.name``).

    Raises ValueError where a name is taken: two formulas for one operator is a mistake in this package.
    """

    def register(formula: Formula) -> Formula:
        for name in names:
            if name in _FORMULAS:
                raise ValueError(f"operator {name!r} is already handled by {_FORMULAS[name].__name__}")
            _FORMULAS[name] = formula
        return formula

    return register


def steps_of(call: Call) -> tuple[Step, ...]:
    """The steps of one call; an operator without a formula becomes one UNMODELLED step."""
    formula = _FORMULAS.get(call.op)
    return unmodelled(call) if formula is None else formula(call)


def spelled(names: str) -> frozenset[str]:
    """Operator names of a table written as running text."""
    return frozenset(names.split())


def known_operators() -> frozenset[str]:
    return frozenset(_FORMULAS)


def unmodelled(call: Call) -> tuple[Step, ...]:
    """Every tensor argument is read and every result written; no arithmetic is counted."""
    return (Step(call.op, LayerKind.UNMODELLED, call.tensors, call.outputs),)


def identity(call: Call) -> tuple[Step, ...]:
    """The result *is* the first tensor: a VIEW step named ``identity``, which lowering removes."""
    return (Step("identity", LayerKind.VIEW, call.tensors[:1], call.outputs),)
