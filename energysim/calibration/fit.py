"""Robust least squares of relative errors, with intervals and leave-one-out errors; refuses what data do not determine.

What is minimized is the sum of soft_l1(ln(predicted / measured) / 0.1): small errors count squared, errors far beyond
10 % only linearly, so one odd measurement does not carry the fit. The start is the architecture's own values and, as
the problem has kinks, three more; the best end is taken. Intervals are 95 % of Student's t from the Jacobian at the
solution with n - p degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from energysim.calibration.features import Array
from energysim.calibration.models import Model, Parameter
from energysim.errors import EnergySimError

_ODD = 0.1
_MATTERS = 0.005
"""A constant matters to a row where changing it by x % changes the prediction by at least this share of x."""
_CONDITION = 50.0
"""Above this ratio of singular values of the (column-scaled) Jacobian, errors of the data appear 50-fold in some
combination of constants."""
_CONFIDENCE = 0.95


class UnderdeterminedError(EnergySimError):
    """The measurements do not determine what is to be fitted; the message says what to measure."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """One constant with its 95 % interval. ``at_bound``: it ended at the edge of what is possible."""

    name: str
    unit: str
    value: float
    low: float
    high: float
    at_bound: bool = False


@dataclass(frozen=True, slots=True)
class Residual:
    """One row: measured, predicted with all rows in the fit, and with this row left out (None: not determined)."""

    row: str
    measured: float
    predicted: float
    left_out: float | None

    @property
    def error(self) -> float:
        """Relative: 0.1 where the prediction is 10 % above the measurement."""
        return self.predicted / self.measured - 1

    @property
    def left_out_error(self) -> float | None:
        return None if self.left_out is None else self.left_out / self.measured - 1


@dataclass(frozen=True)
class Fit:
    """``held``: constants left as they are, with the reason. ``varied``: the solution in the model's own form."""

    fitted: tuple[Fitted, ...]
    held: tuple[tuple[str, str], ...]
    residuals: tuple[Residual, ...]
    varied: tuple[float, ...]

    @property
    def mean_error(self) -> float:
        """Mean of the absolute relative errors."""
        return float(np.mean([abs(residual.error) for residual in self.residuals]))

    @property
    def left_out_error(self) -> float | None:
        """The same of every row when it is left out; None where a row cannot be left out."""
        errors = [residual.left_out_error for residual in self.residuals]
        return None if None in errors else float(np.mean([abs(e) for e in errors if e is not None]))


def fit(model: Model, chosen: Sequence[str] | None = None) -> Fit:
    """Fits the chosen constants (None: all that the measurements depend on).

    Raises UnderdeterminedError where they are too few or too much alike.
    """
    start = np.array([p.start for p in model.parameters])
    free, held = _selected(model, start, chosen)
    _enough(model, free)
    solution = _solve(model, free, start)
    jacobian = _jacobian(model, free, solution)
    _check_condition(model, free, jacobian, solution)
    residuals = np.log(model.predict(solution) / model.measured)
    half = _half_widths(jacobian, residuals)
    fitted = tuple(_fitted(model.parameters[i], solution[i], half[k]) for k, i in enumerate(free))
    predicted = model.predict(solution)
    left_out = [_leave_out(model, free, solution, index) for index in range(len(model.rows))]
    rows = zip(model.rows, model.measured, predicted, left_out, strict=True)
    found = tuple(Residual(name, float(m), float(p), out) for name, m, p, out in rows)
    return Fit(fitted, held, found, tuple(float(v) for v in solution))


def _selected(
    model: Model, start: Array, chosen: Sequence[str] | None
) -> tuple[list[int], tuple[tuple[str, str], ...]]:
    """Which parameters are fitted, and the others with the reason."""
    influence = np.abs(_jacobian(model, range(len(start)), np.maximum(start, 1e-9)) * np.maximum(start, 1e-9))
    free, held = [], []
    for index, parameter in enumerate(model.parameters):
        if chosen is not None and parameter.name not in chosen:
            held.append((parameter.name, "not chosen"))
            continue
        # A constant that starts at nothing has no relative influence yet: any absolute one counts.
        matters = influence[:, index].max(initial=0.0) >= (_MATTERS if parameter.start > 0 else 0.0)
        if matters:
            free.append(index)
        elif chosen is not None:
            what = f"{parameter.name} cannot be fitted: no measurement depends on it"
            raise UnderdeterminedError(what, hint=f"measure {parameter.measure}")
        else:
            held.append((parameter.name, f"no measurement depends on it; measure {parameter.measure}"))
    return free, tuple(held)


def _enough(model: Model, free: Sequence[int]) -> None:
    names = ", ".join(model.parameters[i].name for i in free)
    if not free:
        wanted = "; ".join(p.measure for p in model.parameters)
        raise UnderdeterminedError("the measurements depend on none of the constants", hint=f"measure {wanted}")
    rows, needed = len(model.rows), len(free) + 1
    if rows < needed:
        wanted = "; ".join(model.parameters[i].measure for i in free)
        what = (
            f"{rows} measurements do not determine {len(free)} constants with an error ({names}): {needed} are needed"
        )
        raise UnderdeterminedError(what, hint=f"choose fewer with --fit, or measure {wanted}")


def _solve(model: Model, free: Sequence[int], start: Array) -> Array:
    from scipy.optimize import least_squares

    lower = np.array([model.parameters[i].lower for i in free])
    upper = np.array([model.parameters[i].upper for i in free])
    unit = np.maximum(np.abs(start[list(free)]), np.where(upper > 1, 1.0, upper * 1e-3))
    measured = np.log(model.measured)

    def residuals(x: Array) -> Array:
        varied = start.copy()
        varied[list(free)] = x * unit
        result: Array = np.log(np.maximum(model.predict(varied), 1e-300)) - measured
        return result

    best_cost, best = np.inf, start
    for factor in (1.0, 0.3, 3.0, 10.0):
        begin = np.clip(np.maximum(start[list(free)], unit * 0.1) * factor, lower, upper) / unit
        inside = np.clip(begin, (lower / unit) * (1 + 1e-6) + 1e-9, (upper / unit) * (1 - 1e-6))
        found = least_squares(
            residuals, inside, bounds=(lower / unit, upper / unit), loss="soft_l1", f_scale=_ODD, x_scale="jac"
        )
        if found.cost < best_cost:
            best_cost, best = float(found.cost), start.copy()
            best[list(free)] = found.x * unit
    return best


def _jacobian(model: Model, free: Sequence[int], at: Array) -> Array:
    """d ln(predicted) / d varied, one column per free parameter, by central differences of 0.1 %."""
    columns = []
    for index in free:
        parameter = model.parameters[index]
        step = max(abs(at[index]) * 1e-3, (parameter.upper - parameter.lower) * 1e-9)
        up, down = at.copy(), at.copy()
        up[index], down[index] = at[index] + step, max(0.0, at[index] - step)
        change = np.log(np.maximum(model.predict(up), 1e-300)) - np.log(np.maximum(model.predict(down), 1e-300))
        columns.append(change / (up[index] - down[index]))
    return np.stack(columns, axis=1)


def _check_condition(model: Model, free: Sequence[int], jacobian: Array, solution: Array) -> None:
    norms = np.linalg.norm(jacobian, axis=0)
    for index, norm in zip(free, norms, strict=True):
        if norm == 0:
            parameter = model.parameters[index]
            what = f"{parameter.name} cannot be fitted: at the solution no measurement depends on it"
            raise UnderdeterminedError(what, hint=f"measure {parameter.measure}")
    _, singular, directions = np.linalg.svd(jacobian / norms, full_matrices=False)
    if singular[0] <= _CONDITION * singular[-1]:
        return
    mixed = [free[k] for k in np.argsort(-np.abs(directions[-1])) if abs(directions[-1][k]) > 0.2]
    names = " and ".join(model.parameters[i].name for i in mixed)
    wanted = "; ".join(model.parameters[i].measure for i in mixed)
    what = f"{names} cannot be told apart by these measurements, in which they act alike"
    raise UnderdeterminedError(what, hint=f"measure {wanted}; or hold one of them: --fit without it")


def _half_widths(jacobian: Array, residuals: Array) -> Array:
    from scipy.stats import t

    rows, columns = jacobian.shape
    variance = float(residuals @ residuals) / (rows - columns)
    covariance = variance * np.linalg.inv(jacobian.T @ jacobian)
    widths: Array = float(t.ppf((1 + _CONFIDENCE) / 2, rows - columns)) * np.sqrt(np.diag(covariance))
    return widths


def _fitted(parameter: Parameter, varied: float, half: float) -> Fitted:
    ends = np.clip([varied - half, varied + half], parameter.lower, parameter.upper)
    low, high = sorted(parameter.value(float(end)) for end in ends)
    distance = min(varied - parameter.lower, parameter.upper - varied)
    at_bound = bool(distance <= 1e-3 * (parameter.start or 1e-3 * (parameter.upper - parameter.lower)))
    return Fitted(parameter.name, parameter.unit, parameter.value(float(varied)), low, high, at_bound)


def _leave_out(model: Model, free: Sequence[int], solution: Array, index: int) -> float | None:
    """The prediction of a row by a fit to the others; None where these do not determine the constants."""
    rest = model.without(index)
    if len(rest.rows) < len(free):
        return None
    if np.any(np.linalg.norm(_jacobian(rest, free, solution), axis=0) == 0):
        return None
    return float(model.predict(_solve(rest, free, solution))[index])
