"""Work: what a quote request means, checked, with the name by which runs of the same work are known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from petahour.control.quotes.amounts import parse_amount
from petahour.control.quotes.bounds import require_run
from petahour.control.quotes.layout import parse_plan
from petahour.control.quotes.throughput import MeasuredJob
from petahour.control.quotes.type_estimate import TypeEstimate
from petahour.model.errors import ValidationError
from petahour.model.jobs import Tier
from petahour.model.quotes import Objective, QuoteRequest
from petahour.model.time import parse_duration
from petahour.quoting.energy import Building, energy_kwh
from petahour.quoting.estimate import MOST_GANG
from petahour.quoting.plan import ParallelPlan

MOST_HOURS = 1e10
HOURS = "accelerator-hours"
Named = TypeVar("Named", bound=StrEnum)
_KINDS = ("model", "config", "measured", "hours")
# What says nothing of each kind, and why: nobody should believe that it was heeded.
_MEANINGLESS = {
    "model": (("amount",), "goes with measured alone"),
    "config": (("amount",), "goes with measured alone"),
    "measured": (
        ("tokens", "sequence", "batch", "types", "plan"),
        "says nothing of a measured program, which runs as it was measured, for as many units as --amount says",
    ),
    "hours": (("tokens", "sequence", "batch", "amount", "plan"), "says nothing of plain accelerator-hours"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What a request says beside the work itself, checked."""

    tier: Tier
    objective: Objective
    gang: int | None
    plan: ParallelPlan | None
    deadline_ms: int | None


def kind_of(request: QuoteRequest) -> str:
    """Which one of the four kinds of work is asked for.

    Raises ValidationError unless it is exactly one, and where something is said that means nothing of that kind.
    """
    given = [kind for kind in _KINDS if getattr(request, kind) is not None]
    if len(given) != 1:
        raise ValidationError(
            field="model",
            value=given or None,
            rule=f"exactly one of {', '.join(_KINDS)}",
            remedy='Name a model such as llama-2-70b; "petahour quote --help" shows the others.',
        )
    names, rule = _MEANINGLESS[given[0]]
    for name in names:
        value = getattr(request, name)
        if value is not None and value != ():
            raise ValidationError(field=name, value=value, rule=rule, remedy=f"Leave {name} out, or {given[0]}.")
    return given[0]


def terms_of(request: QuoteRequest) -> Terms:
    """Tier, objective, gang and deadline. Raises ValidationError naming the field."""
    gang = request.gang
    if gang is not None and (isinstance(gang, bool) or not 1 <= gang <= MOST_GANG):
        raise ValidationError(
            field="gang",
            value=gang,
            rule=f"a whole number from 1 to {MOST_GANG}",
            remedy="Say how many accelerators.",
        )
    deadline_ms = None if request.deadline is None else parse_duration(request.deadline, field="deadline")
    if deadline_ms is not None and deadline_ms <= 0:
        raise ValidationError(
            field="deadline", value=request.deadline, rule="a duration above zero", remedy='Write it like "30d".'
        )
    return Terms(
        tier=_named(Tier, "tier", request.tier),
        objective=_named(Objective, "objective", request.objective),
        gang=gang,
        plan=None if request.plan is None else parse_plan(request.plan, gang),
        deadline_ms=deadline_ms,
    )


def measured_work(
    request: QuoteRequest, measured: MeasuredJob, gang: int | None
) -> tuple[str, Mapping[str, str], TypeEstimate]:
    """(name of the work, what it is in words, the estimate) of a program whose throughput was measured.

    Only the calibration's own gang on its own type is quoted: how a program scales was not measured.
    """
    seen = measured.throughput
    if request.amount is None:
        raise ValidationError(
            field="amount",
            value=None,
            rule=f"how many {seen.unit} the run has",
            remedy="Say so with --amount, for example --amount 1M.",
        )
    if gang not in (None, measured.accelerators):
        raise ValidationError(
            field="gang",
            value=gang,
            rule=f"the {measured.accelerators} accelerators that were measured; nothing is known of how it scales",
            remedy="Calibrate with that gang, or leave the gang out.",
        )
    amount = parse_amount(request.amount, field="amount")
    low_s, expected_s, high_s = seen.run_s(amount)
    watts, hours = seen.power_w, measured.accelerators * expected_s / 3600
    estimate = TypeEstimate(
        type=measured.type,
        accelerators=measured.accelerators,
        plan=f"as measured by {measured.job.id}",
        run_s=expected_s,
        low_s=low_s,
        high_s=high_s,
        energy_kwh=None if watts is None else energy_kwh(watts, hours, Building()),
        notes=() if watts is not None else (f"energy is not known: {seen.power_unknown}",),
        details={
            "rate": seen.rate,
            "spread": seen.spread,
            "set_up_s": seen.set_up_s,
            **({} if watts is None else Building().factors),
        },
    )
    about = {
        "amount": f"{amount:,} {seen.unit}",
        "throughput": f"{seen.rate:,.4g} {seen.unit}/s on {measured.accelerators} x {measured.type}",
        "calibration": measured.job.id,
    }
    # A program is known by its tenant and name: two tenants' "train" are not the same.
    require_run(estimate, field="amount", value=request.amount)
    return f"{measured.job.tenant}/{measured.job.spec.name}"[:200], about, estimate


def about_hours(hours: float) -> tuple[str, Mapping[str, str]]:
    """(name of the work, what it is in words) of plain capacity."""
    return HOURS, {"amount": f"{hours:,g} accelerator-hours"}


def hours_estimate(hours: float, type_name: str, gang: int, power_w: float | None) -> TypeEstimate:
    """Plain capacity for a time: certain in what it takes, so there is no interval and nothing to learn."""
    if isinstance(hours, bool) or not math.isfinite(hours) or not 0 < hours <= MOST_HOURS:
        raise ValidationError(
            field="hours",
            value=hours,
            rule=f"accelerator-hours above zero and at most {MOST_HOURS:,.0f}",
            remedy="Write it like 5000.",
        )
    run_s = hours * 3600 / gang
    whole = TypeEstimate(
        type=type_name,
        accelerators=gang,
        plan="plain capacity",
        run_s=run_s,
        low_s=run_s,
        high_s=run_s,
        energy_kwh=None if power_w is None else energy_kwh(power_w, hours, Building()),
        learns=False,
        details={} if power_w is None else Building().factors,
    )
    return require_run(whole, field="hours", value=hours)


def size_of(request: QuoteRequest) -> tuple[str, object]:
    """(field, value) of what says how much work it is."""
    for field in ("hours", "amount", "tokens"):
        if getattr(request, field) is not None:
            return field, getattr(request, field)
    return "tokens", None


def _named(kind: type[Named], field: str, text: str) -> Named:
    try:
        return kind(text)
    except ValueError:
        raise ValidationError(
            field=field, value=text, rule=f"one of {', '.join(kind)}", remedy="Choose one of them."
        ) from None
