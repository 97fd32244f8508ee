"""Quotes: what a piece of work takes on each type of accelerator, said before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from petahour.model.jobs import Tier


class Objective(StrEnum):
    """What a quote looks for among plans, gang sizes and types."""

    CHEAPEST = "cheapest"
    FASTEST = "fastest"
    LEAST_ENERGY = "least-energy"


@dataclass(frozen=True, kw_only=True, slots=True)
class QuoteRequest:
    """Work to quote, as text and numbers from outside, before any rule was applied.

    It is exactly one of ``model`` (a name), ``config`` (a Hugging Face config.json), ``measured`` (a finished job
    whose output told its throughput) and ``hours`` (plain accelerator-hours). ``tokens`` and ``amount``, which goes
    with ``measured``, are numbers or text such as ``"2T"``. ``types`` empty: all that there are. ``gang`` is a number
    of accelerators, None: the best; ``plan`` such as ``"tp=8,pp=4,zero=1"`` says how the model lies on them, None:
    the fastest that fits. ``objective`` is cheapest, fastest or least-energy. ``deadline`` is a duration that the
    run may take at most. ``tenant`` is for operators only.
    """

    model: str | None = None
    config: Mapping[str, object] | None = None
    measured: str | None = None
    hours: float | None = None
    tokens: str | int | None = None
    sequence: int | None = None
    batch: int | None = None
    amount: str | int | None = None
    types: tuple[str, ...] = ()
    gang: int | None = None
    plan: str | None = None
    objective: str = "cheapest"
    deadline: str | int | None = None
    tier: str = "on-demand"
    tenant: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """What is expected, between bounds that eight of ten outcomes should lie in. Prevents quoting a single number.

    Integers of one unit: milliseconds, micro-units of money.
    """

    low: int
    expected: int
    high: int

    def times(self, factor: float) -> Interval:
        """All three multiplied and rounded."""
        return Interval(
            low=round(self.low * factor), expected=round(self.expected * factor), high=round(self.high * factor)
        )

    def holds(self, value: float) -> bool:
        """Whether the value lies within the bounds."""
        return self.low <= value <= self.high


@dataclass(frozen=True, kw_only=True, slots=True)
class TierPrice:
    """What the run would cost on one tier: the price of an accelerator-hour, and of the whole run."""

    tier: Tier
    price_micros: int
    total_micros: Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedStart:
    """When a gang submitted now would start: in one of ten cases before the earliest, in nine before the latest.

    None where that lies further ahead than was looked. ``never`` says why this fleet cannot run the gang at all.
    """

    earliest_ms: int | None = None
    median_ms: int | None = None
    latest_ms: int | None = None
    never: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Another number of accelerators for the same work. No other one is both faster and cheaper."""

    accelerators: int
    plan: str
    run_ms: int

    @property
    def accelerator_ms(self) -> int:
        """Accelerator-milliseconds of the whole run."""
        return self.run_ms * self.accelerators


@dataclass(frozen=True, kw_only=True, slots=True)
class QuoteLine:
    """The offer on one type of accelerator.

    ``plan`` says in words how the work is laid out over ``accelerators``, which are ``nodes`` x ``per_node`` on this
    fleet (None where it has no such type). ``run_ms`` is from the start to the end, with
    failures, checkpoints and restarts; ``modelled_ms`` the same as the model said before ``correction``, the factor
    learned from ``own_runs`` runs of this type and work. ``step_ms`` is one optimizer step. ``petaflop_hours`` are
    10^15 model FLOPs per second kept up for an hour, delivered over the whole run. ``memory_part`` is the used part
    of the memory, ``limit`` what holds the run back. ``choices`` are other gang sizes, by size, where they were
    looked at. ``late``: it is expected to run for longer than the quote's deadline. What is not known is None.
    """

    type: str
    accelerators: int
    plan: str
    run_ms: Interval
    modelled_ms: int
    correction: float = 1.0
    own_runs: int = 0
    step_ms: float | None = None
    petaflop_hours: float | None = None
    energy_kwh: float | None = None
    memory_part: float | None = None
    limit: str | None = None
    nodes: int | None = None
    per_node: int | None = None
    prices: tuple[TierPrice, ...] = ()
    start: ExpectedStart | None = None
    choices: tuple[Choice, ...] = ()
    details: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    late: bool = False

    @property
    def accelerator_ms(self) -> Interval:
        """Accelerator-milliseconds of the whole run: what is billed."""
        return self.run_ms.times(self.accelerators)

    def price(self, tier: Tier) -> TierPrice | None:
        """What it costs on a tier, or None where that is not sold."""
        return next((price for price in self.prices if price.tier is tier), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class NotQuoted:
    """A type that was asked for and is not offered, and why."""

    type: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """A quote as stored. ``work`` names what is run and ``about`` tells the rest of it, as text by name.

    Runs of the same ``work`` on the same type teach later quotes. ``lines`` are ordered by the objective, the best
    first. ``job`` is the job submitted under it, which there is one of at most; ``price_book`` prices what that uses.
    ``deadline_ms`` is how long the run was to be expected to take at most, None: no matter.
    """

    id: str
    tenant: str
    user: str
    created_ms: int
    valid_until_ms: int
    work: str
    about: Mapping[str, str]
    tier: Tier
    objective: Objective
    currency: str | None
    lines: tuple[QuoteLine, ...]
    refused: tuple[NotQuoted, ...] = ()
    job: str | None = None
    price_book: str | None = None
    deadline_ms: int | None = None

    def line(self, type_name: str) -> QuoteLine | None:
        """The offer on a type, or None."""
        return next((line for line in self.lines if line.type == type_name), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotedJob:
    """A job's quote and the job's own figures. Milliseconds and micro-units of ``currency``.

    ``run_ms`` and ``total_micros`` were quoted for ``accelerators`` of ``type``; ``total_micros`` None: that was not
    sold. ``ran_ms`` is billed and open running time over the gang's accelerators, ``spent_micros`` what was charged
    and, of the hour that is open, what it comes to. ``price_book`` prices it where ``promised_ms`` say for how much
    running time.
    """

    quote: str
    work: str
    type: str
    accelerators: int
    run_ms: Interval
    total_micros: Interval | None
    currency: str | None
    price_book: str | None
    promised_ms: int | None
    ran_ms: int
    spent_micros: int
