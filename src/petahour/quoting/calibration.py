"""The shipped calibration: fitted parameters per chip family and kind of program, with their residuals."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from importlib import resources

from petahour.model.errors import InvariantError
from petahour.quoting.chips import Chip
from petahour.quoting.coefficients import Coefficients
from petahour.quoting.plan import ParallelPlan

# Simple benchmarks of the matrix units reach a little more than the matrix products of a training do.
PRODUCTS_OF_BENCHMARK = 0.97


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """Measured over predicted time, the bounds of the middle 80 %."""

    low: float
    high: float

    def times(self, other: Spread) -> Spread:
        """Both uncertainties together, as if independent: their distances from 1 add up in squares of logarithms."""
        low = 1.0 / (1.0 + ((1.0 / self.low - 1.0) ** 2 + (1.0 / other.low - 1.0) ** 2) ** 0.5)
        high = 1.0 + ((self.high - 1.0) ** 2 + (other.high - 1.0) ** 2) ** 0.5
        return Spread(low=low, high=high)


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """Parameters for the types whose names begin with one of ``types``. Prevents quoting a guess as if measured.

    ``fused`` says for which kind of program. ``measured`` is False for priors. ``node`` and ``cluster`` are the
    residuals of step times inside one node and over several, ``layout`` what tensor, pipeline and expert parallelism
    add to them where none of the fitted rows had any, ``run`` what whole runs add.
    """

    name: str
    types: tuple[str, ...]
    fused: bool
    measured: bool
    source: str
    coefficients: Coefficients
    node: Spread
    cluster: Spread
    layout: Spread
    run: Spread


def step_spread(calibration: Calibration, chip: Chip, plan: ParallelPlan) -> Spread:
    """The 80 % interval of a plan's step time, measured over predicted."""
    inside = calibration.node if plan.gang <= chip.node else calibration.cluster
    split = plan.tp > 1 or plan.pp > 1 or plan.ep > 1
    return inside.times(calibration.layout) if split else inside


def calibration_for(chip: Chip, *, fused: bool, known: Sequence[Calibration] | None = None) -> Calibration:
    """The calibration of a chip for programs with fused attention or without it: the family's own for that kind, else
    the family's other one, else the prior with what is known of the chip."""
    known = shipped() if known is None else known
    family = [one for one in known if any(chip.name.startswith(start) for start in one.types)]
    measured = [one for one in family if one.measured]
    for one in (*[one for one in measured if one.fused is fused], *measured):
        return one
    priors = [one for one in known if not one.measured and one.fused is fused]
    if not priors:
        raise InvariantError(rule="a calibration has a prior for each kind of program", value=chip.name)
    return _with_own_figures(priors[0], chip)


@lru_cache(maxsize=1)
def shipped() -> tuple[Calibration, ...]:
    """The calibrations of the package."""
    file = resources.files("petahour.quoting") / "data" / "calibration.toml"
    return read_calibrations(file.read_text(encoding="utf-8"))


def read_calibrations(text: str) -> tuple[Calibration, ...]:
    """Calibrations of a TOML text with ``[[calibration]]`` tables. Raises InvariantError where one is incomplete."""
    tables = tomllib.loads(text).get("calibration", [])
    return tuple(_read(table) for table in tables)


def _read(table: Mapping[str, object]) -> Calibration:
    try:
        numbers = _numbers(table["coefficients"])
        unknown = set(numbers) - {field.name for field in fields(Coefficients)}
        if unknown:
            raise KeyError(*sorted(unknown))
        types = table["types"]
        return Calibration(
            name=str(table["name"]),
            types=tuple(str(one) for one in types) if isinstance(types, list) else (),
            fused=table["fused"] is True,
            measured=table["measured"] is True,
            source=str(table["source"]),
            coefficients=Coefficients(**numbers),
            node=Spread(**_numbers(table["node"])),
            cluster=Spread(**_numbers(table["cluster"])),
            layout=Spread(**_numbers(table["layout"])),
            run=Spread(**_numbers(table["run"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvariantError(rule="a calibration is complete", value=str(error)) from error


def _numbers(table: object) -> dict[str, float]:
    if not isinstance(table, dict):
        raise TypeError("a table of numbers")
    return {str(name): float(value) for name, value in table.items()}


def _with_own_figures(prior: Calibration, chip: Chip) -> Calibration:
    """A prior in which a chip's own measured parts of its peaks stand for the usual ones."""
    own = prior.coefficients
    if chip.matrix_part is not None:
        own = replace(own, matrix=min(chip.matrix_part * PRODUCTS_OF_BENCHMARK, 1.0))
    if chip.bandwidth_part is not None:
        own = replace(own, memory=min(chip.bandwidth_part, 1.0))
    return replace(prior, coefficients=own)
