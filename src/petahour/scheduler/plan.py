"""The plan: one decision for every queued job, and the preemptions that serve them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from petahour.model.resources import Slot


class HoldCode(StrEnum):
    """The binding constraint of a job that waits."""

    CAPACITY = "capacity"
    ORDER = "order"
    PREEMPTING = "preempting"
    QUOTA = "quota"
    FUNDS = "funds"
    PRICE = "price"
    IMPOSSIBLE = "impossible"
    KEPT = "kept"
    DUES = "dues"
    BUDGET = "budget"
    LIMIT = "price-limit"
    DEPENDENCY = "dependency"
    ARRAY = "array"
    MAINTENANCE = "maintenance"
    RESERVATION = "reservation"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Start the job's next attempt on these slots (one per gang node, all of one pool).

    ``reservation``: the reservations, joined by "+", whose seats they are.
    """

    job: str
    type: str
    slots: tuple[Slot, ...]
    borrowed: bool
    reservation: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preempt:
    """Stop this allocation so that ``for_job`` can start once its accelerators are free."""

    allocation: str
    for_job: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """The job waits. ``text`` is for its tenant: it names no other tenant and no other tenant's job.

    It changes only when the cause changes, so that an unchanged wait costs nothing to record.
    """

    job: str
    code: HoldCode
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Exactly one Place or Hold per queued job, in the order decided; no allocation preempted twice.

    ``holds`` is by job.
    """

    places: tuple[Place, ...]
    preempts: tuple[Preempt, ...]
    holds: Mapping[str, Hold]
