"""Quotes as the API answers with them. Times are ``*_ms``, money is ``*_micros`` of the quote's currency."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from petahour.client.requests import JobRequest
from petahour.model.errors import ValidationError
from petahour.model.quotes import Interval
from petahour.model.quotes import QuoteRequest as Asked


class QuoteRequest(Asked):
    """Work to quote, as the API is asked."""

    __slots__ = ()

    def body(self) -> dict[str, object]:
        """The JSON body of ``POST /v1/quotes``; what is not said is left out.

        Raises ValidationError for hours, or a figure of the config, that JSON has no number for.
        """
        if self.hours is not None and not math.isfinite(self.hours):
            raise ValidationError(
                field="hours", value=self.hours, rule="accelerator-hours above zero", remedy="Write it like 5000."
            )
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.config is not None:
            _require_finite(self.config, "config")
            said["config"] = dict(self.config)
        return {name: value for name, value in said.items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class TierPrice:
    """The price of an accelerator-hour on a tier, and of the whole run."""

    tier: str
    price_micros: int
    total_micros: Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotedStart:
    """When a gang submitted at the quote's time would start; ``never`` says why this fleet cannot run it."""

    earliest_ms: int | None
    median_ms: int | None
    latest_ms: int | None
    never: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Another number of accelerators for the same work; no other one is both faster and cheaper."""

    accelerators: int
    plan: str
    run_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class QuoteLine:
    """The offer on one type. ``accelerator_ms`` is what would be billed; ``late``: expected to miss the deadline."""

    type: str
    accelerators: int
    plan: str
    run_ms: Interval
    accelerator_ms: Interval
    modelled_ms: int
    correction: float
    own_runs: int
    step_ms: float | None
    petaflop_hours: float | None
    energy_kwh: float | None
    memory_part: float | None
    limit: str | None
    nodes: int | None
    per_node: int | None
    prices: tuple[TierPrice, ...]
    start: QuotedStart | None
    details: Mapping[str, float]
    notes: tuple[str, ...]
    choices: tuple[Choice, ...] = ()
    late: bool = False

    def price(self, tier: str) -> TierPrice | None:
        """What it costs on a tier, or None where that is not sold."""
        return next((price for price in self.prices if price.tier == tier), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class NotQuoted:
    """A type that was asked for and is not offered, and why."""

    type: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """A quote, its lines best first. ``job``: the one submitted under it, priced by ``price_book``.

    Without an id it was not stored.
    """

    id: str
    tenant: str
    user: str
    created_ms: int
    valid_until_ms: int
    work: str
    about: Mapping[str, str]
    tier: str
    objective: str
    currency: str | None
    lines: tuple[QuoteLine, ...]
    refused: tuple[NotQuoted, ...]
    job: str | None
    price_book: str | None = None
    deadline_ms: int | None = None

    def request(self, command: tuple[str, ...], *, type_name: str | None = None) -> JobRequest:
        """A job under this quote, on the best type that this fleet can run, or on the one named.

        Raises ValidationError when the quote has no such line.
        """
        for line in self.lines:
            if type_name in (None, line.type) and line.nodes is not None and line.per_node is not None:
                return JobRequest(
                    command=command,
                    quote=self.id,
                    types=(line.type,),
                    nodes=line.nodes,
                    accelerators_per_node=line.per_node,
                    tier=self.tier,
                    tenant=self.tenant,
                )
        offered = ", ".join(line.type for line in self.lines if line.nodes is not None)
        raise ValidationError(
            field="type",
            value=type_name,
            rule=f"a type that {self.id} offers on this fleet: {offered or 'none'}",
            remedy="Choose one of them, or ask for another quote.",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class QuoteOutcome:
    """A quote beside what its job took and was charged. ``error``: quoted over measured run time, less one.

    ``set_aside``: why the run is no fair sample, counts in no mean and teaches nothing; None for a fair one.
    """

    quote: str
    job: str
    tenant: str
    work: str
    type: str
    accelerators: int
    quoted_ms: Interval
    run_ms: int
    quoted_micros: int | None
    charged_micros: int
    currency: str
    correction: float
    own_runs: int
    error: float
    within: bool
    set_aside: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class QuoteAccuracy:
    """Outcomes, newest first; of the fair ones the mean size of errors, their mean, and the part within the interval.

    ``waiting`` quotes have a job that is not over; ``other`` one that did not succeed on one type.
    """

    outcomes: tuple[QuoteOutcome, ...]
    mape: float | None
    bias: float | None
    coverage: float | None
    waiting: int
    other: int


@dataclass(frozen=True, kw_only=True, slots=True)
class JobThroughput:
    """What a finished job's output tells. ``rate``: units per second of the whole gang once it is warm.

    ``power_w`` is one accelerator's mean, read by ``power_by``; None for the reason ``power_unknown``. ``joules`` are
    one accelerator's over the whole run. ``unread`` lines begin with "petahour:" and were not understood.
    """

    job: str
    name: str
    type: str
    accelerators: int
    run_ms: int
    unit: str
    rate: float
    spread: float
    stretches: int
    set_up_s: float
    power_w: float | None
    power_by: str | None = None
    power_unknown: str | None = None
    joules: float | None = None
    unread: int = 0
    first_unread: str | None = None


def _require_finite(value: object, field: str) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _require_finite(inner, f"{field}.{name}")
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            _require_finite(inner, f"{field}[{place}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValidationError(
            field=field, value=value, rule="a number that JSON has", remedy="Correct it in the model's config."
        )
