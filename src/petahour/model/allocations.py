"""Allocations: one attempt of a job on named accelerators; what is metered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from petahour.model.jobs import Tier
from petahour.model.resources import Slot, accelerators_of


class AllocationState(StrEnum):
    """``starting`` is the stored intent: the engine may or may not have heard of it yet."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"


class StopCause(StrEnum):
    """Why the control plane asked an allocation to stop."""

    CANCELLED = "cancelled"
    PREEMPTED = "preempted"
    CREDIT = "credit-exhausted"
    ORPHAN = "orphan"
    DUES = "dues-overdue"
    BUDGET = "budget-spent"
    LIMIT = "price-limit"
    MAINTENANCE = "maintenance"
    RECALLED = "recalled"

    @property
    def yields(self) -> bool:
        """The operator wants the accelerators: what the job uses from then on is not billed."""
        return self in YIELDING


YIELDING = frozenset({StopCause.PREEMPTED, StopCause.MAINTENANCE, StopCause.RECALLED})


class EndKind(StrEnum):
    """How an allocation ended. ``lost`` is the operator's fault (a supervisor or node gone) and is not billed."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    WALLTIME = "walltime"
    STOPPED = "stopped"
    LOST = "lost"


@dataclass(frozen=True, kw_only=True, slots=True)
class Allocation:
    """Accelerators given to one attempt of a job from ``placed_ms`` (inclusive) to ``ended_ms`` (exclusive).

    Billing runs from ``started_ms``, the first rank's start. ``metered_ms`` is the instant up to which
    usage records exist. ``preempted_ms`` is when the operator asked it to make way; what it uses from then on is not
    billed, and no later cancellation undoes it. ``borrowed``: beyond the tenant's nominal quota, thus reclaimable.
    ``price_micros`` is the price of one accelerator-hour it was placed under. ``price_for_ms`` is for how much
    running time the book it was placed under stays its own (None: for all of it); what it uses later is priced
    by the book then in force. ``funded_until_ms`` is set where credit covers less than the next stretch: then the
    job is asked to stop, unless credit was added. ``postpaid``: what it uses is owed, not taken from credit.
    ``limit_micros``: the most that its job pays for an accelerator-hour, None without a limit.
    ``reservation``: the reservations, joined by "+", on whose seats it lies; until ``reserved_until_ms`` its time is
    paid for by them.
    """

    id: str
    job: str
    tenant: str
    project: str
    attempt: int
    type: str
    tier: Tier
    engine: str
    slots: tuple[Slot, ...]
    rehearsal: bool
    borrowed: bool
    price_book: str
    price_micros: int
    currency: str
    state: AllocationState
    placed_ms: int
    started_ms: int | None = None
    ended_ms: int | None = None
    metered_ms: int | None = None
    stop_cause: StopCause | None = None
    stop_for: str = ""
    stop_ms: int | None = None
    preempted_ms: int | None = None
    end_kind: EndKind | None = None
    hold_transfer: str = ""
    price_for_ms: int | None = None
    funded_until_ms: int | None = None
    postpaid: bool = False
    limit_micros: int | None = None
    reservation: str = ""
    reserved_until_ms: int | None = None

    @property
    def accelerators(self) -> int:
        return accelerators_of(self.slots)
