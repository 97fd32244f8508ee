"""Fits the parameters of the performance model to measured rows, and cross-validates by group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from measured import Row
from scipy.optimize import least_squares

from petahour.quoting.cases import Batches, Cases, Chips, Plans, Shapes
from petahour.quoting.coefficients import Coefficients
from petahour.quoting.plan import plan_columns
from petahour.quoting.search import cases_of
from petahour.quoting.step_time import step_time

Numbers = npt.NDArray[np.float64]
Columns = TypeVar("Columns", Shapes, Batches, Plans, Chips)

# How far each parameter may lie from its prior, as a standard deviation of its logarithm. What physics and
# datasheets bound is tight, what depends on hosts and programs is loose.
LOOSENESS = {
    "matrix": 0.05,
    "wave_outputs": 0.5,
    "fill_depth": 0.5,
    "fused_attention": 0.3,
    "memory": 0.08,
    "score_traffic": 0.2,
    "element_traffic": 0.3,
    "logit_bytes": 0.4,
    "link": 0.15,
    "part_link": 0.2,
    "link_delay": 1.0,
    "network": 0.3,
    "network_delay": 0.7,
    "send_delay": 0.7,
    "ring_hop": 0.7,
    "host_layer": 1.0,
    "host_tp": 1.0,
    "host_softmax": 1.0,
    "host_backward": 0.5,
    "host_repeat": 0.5,
    "host_step": 1.0,
    "queue": 0.3,
    "kernel_gap": 1.0,
    "hiding": 0.1,
    "optimizer_bytes": 0.7,
    "straggling": 0.3,
    "repeated": 0.1,
}

# An error of this size is usual; the weight of larger ones falls, since some measured rows lie far from their
# neighbours for reasons that no row states.
USUAL_ERROR = 0.03


def cases(rows: Sequence[Row]) -> Cases:
    """The rows as columns, each with the one plan it has."""
    singles = [cases_of(row.training, row.chip, plan_columns(row.plans[:1])) for row in rows]
    return Cases(
        shape=_stacked([one.shape for one in singles]),
        batch=_stacked([one.batch for one in singles]),
        plan=_stacked([one.plan for one in singles]),
        chip=_stacked([one.chip for one in singles]),
    )


def log_ratio(rows: Sequence[Row], fit: Coefficients) -> Numbers:
    """Logarithm of measured over predicted step time, per row."""
    measured = np.array([row.measured for row in rows])
    return np.log(measured / step_time(cases(rows), fit).total)


def fit(
    rows: Sequence[Row],
    weights: Numbers,
    prior: Coefficients,
    loose: Mapping[str, float],
    start: Coefficients | None = None,
) -> Coefficients:
    """The parameters that make the weighted rows and the prior most likely together.

    Residuals are logarithmic; their loss is Cauchy's, the prior's is quadratic. ``loose`` says how
    far parameters may lie from it where LOOSENESS does not; those with 0 stay there. ``start`` is where the
    search begins, at the prior if nowhere.
    """
    columns = cases(rows)
    measured = np.array([row.measured for row in rows])
    allowed = {**LOOSENESS, **loose}
    names = tuple(name for name in LOOSENESS if allowed[name] > 0)
    centre = np.array([np.log(getattr(prior, name)) for name in names])
    first = centre if start is None else np.array([np.log(getattr(start, name)) for name in names])
    scale = np.array([allowed[name] for name in names])

    def at(point: Numbers) -> Coefficients:
        return replace(prior, **dict(zip(names, (float(one) for one in np.exp(point)), strict=True)))

    def residuals(point: Numbers) -> Numbers:
        error = np.log(step_time(columns, at(point)).total / measured) / USUAL_ERROR
        damped = np.sign(error) * np.sqrt(np.log1p(error**2) * weights)
        return np.concatenate([damped, (point - centre) / scale])

    return at(least_squares(residuals, first, x_scale=scale, ftol=1e-5, xtol=1e-5).x)


def left_out_ratios(
    rows: Sequence[Row], group: Callable[[Row], str], refit: Callable[[Sequence[Row]], Coefficients]
) -> Numbers:
    """Log ratio of each row under the parameters fitted without any row of its group."""
    found = np.zeros(len(rows))
    for name in sorted({group(row) for row in rows}):
        held = np.array([group(row) == name for row in rows])
        others = [row for row, out in zip(rows, held, strict=True) if not out]
        own = [row for row, out in zip(rows, held, strict=True) if out]
        found[held] = log_ratio(own, refit(others))
    return found


def balanced(rows: Sequence[Row], group: Callable[[Row], str], total: float) -> Numbers:
    """Weights that give every group as much as another, ``total`` in all."""
    names = [group(row) for row in rows]
    sizes = {name: names.count(name) for name in names}
    return np.array([total / (len(sizes) * sizes[name]) for name in names])


def _stacked(parts: Sequence[Columns]) -> Columns:
    first = parts[0]
    columns = {
        field.name: np.concatenate([np.broadcast_to(getattr(one, field.name), (1,)) for one in parts])
        for field in fields(first)
    }
    return type(first)(**columns)
