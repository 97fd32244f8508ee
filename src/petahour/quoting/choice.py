"""Choosing among estimates: gang sizes by an objective, and the ones that nothing beats in both time and price."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from petahour.model.errors import ValidationError
from petahour.model.quotes import Objective
from petahour.quoting.chips import Chip
from petahour.quoting.estimate import Estimate, estimate
from petahour.quoting.search import gangs_up_to
from petahour.quoting.workload import Training

HOUR_S = 3600.0


def estimates_up_to(training: Training, chip: Chip, most: int) -> tuple[Estimate, ...]:
    """The best plan of every gang size up to ``most`` that can run the training, smallest gang first.

    Raises ValidationError, that of the largest gang, when none can.
    """
    found: list[Estimate] = []
    refusal: ValidationError | None = None
    for gang in gangs_up_to(most, chip):
        try:
            found.append(estimate(training, chip, gang=gang))
        except ValidationError as error:
            refusal = error
    if refusal is not None and not found:
        raise refusal
    return tuple(found)


def best(
    estimates: Sequence[Estimate],
    objective: Objective,
    *,
    hourly: Mapping[str, float] = MappingProxyType({}),
    deadline_s: float | None = None,
) -> Estimate:
    """The best of some estimates by an objective; with a deadline only those expected to end by it count.

    ``hourly`` is the price of an accelerator-hour by type, in one currency. Types without one count as 1, so that
    without prices the fewest accelerator-hours are cheapest. Raises ValidationError when none ends by the deadline.
    """
    within = [one for one in estimates if deadline_s is None or one.run_s.expected <= deadline_s]
    if not within:
        fastest = min((one.run_s.expected for one in estimates), default=float("nan"))
        raise ValidationError(
            field="deadline",
            value=None if deadline_s is None else f"{deadline_s / HOUR_S:.1f} h",
            rule=f"no sooner than the fastest plan ends, which is after {fastest / HOUR_S:.1f} h",
            remedy="Allow more time, a larger gang, or another type.",
        )
    keys: Mapping[Objective, Callable[[Estimate], tuple[bool, float]]] = {
        Objective.CHEAPEST: lambda one: (False, price_of(one, hourly)),
        Objective.FASTEST: lambda one: (False, one.run_s.expected),
        # Types whose draw nobody knows come last, the one with the fewest accelerator-hours first.
        Objective.LEAST_ENERGY: lambda one: (
            one.energy_kwh is None,
            one.energy_kwh or one.accelerator_hours.expected,
        ),
    }
    return min(within, key=lambda one: (keys[objective](one), one.run_s.expected, one.gang))


def pareto(estimates: Sequence[Estimate], *, hourly: Mapping[str, float]) -> tuple[Estimate, ...]:
    """The estimates that no other one beats in both time and price, fastest first."""
    kept: list[Estimate] = []
    for one in sorted(estimates, key=lambda one: (one.run_s.expected, price_of(one, hourly))):
        if not kept or price_of(one, hourly) < price_of(kept[-1], hourly):
            kept.append(one)
    return tuple(kept)


def price_of(one: Estimate, hourly: Mapping[str, float]) -> float:
    """What the run costs at the hourly price of its type; its accelerator-hours where the type has none."""
    return one.accelerator_hours.expected * hourly.get(one.type, 1.0)
