"""Decisions: what a pass decided, in the scheduler's own small values."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from petahour.scheduler.ask import Ask, Grant, Waiting
from petahour.scheduler.plan import HoldCode
from petahour.scheduler.reserve import Reservation

if TYPE_CHECKING:
    from petahour.scheduler.turns import Turns

# Of one ask in one pass: a later job of it may hold less money, or be over before what is promised begins.
TRIES = {HoldCode.FUNDS: 8, HoldCode.MAINTENANCE: 64, HoldCode.RESERVATION: 64}
# Who comes later is not looked at where nobody overtakes.
BLOCKING = (HoldCode.CAPACITY, HoldCode.PREEMPTING, HoldCode.MAINTENANCE, HoldCode.RESERVATION)
NO_ROOM = (HoldCode.CAPACITY, HoldCode.KEPT)  # it may be made by stopping others
# Of several types' refusals the one closest to a start is told: what a top-up mends, then what time mends.
CLOSEST = (HoldCode.FUNDS, HoldCode.CAPACITY, HoldCode.KEPT, HoldCode.QUOTA, HoldCode.LIMIT, HoldCode.PRICE)


class Start(NamedTuple):
    """A job starts on these accelerators of one pool, which may be seats of reservations."""

    job: Waiting
    type: str
    pool: int
    grants: tuple[Grant, ...]
    borrowed: bool
    reservation: str = ""


class Stop(NamedTuple):
    """A run yields so that ``for_job`` can start."""

    running: str
    for_job: str


class Why(NamedTuple):
    """Why a job waits: the code, the type it speaks of, the figures of the matter, and the promise in its way."""

    code: HoldCode
    type: str = ""
    amount: int = 0
    limit: int = 0
    promise: str = ""


@dataclass(kw_only=True, slots=True)
class Decisions:
    """What a pass decided, in order. Who is named nowhere waits for capacity.

    ``whys``: by job, or by ask for all jobs of it. ``free_before`` and ``free_after``: free accelerators of each
    pool, as the pass found them and less what it gave away or kept. ``least_claim``: the strongest claim of those
    that wait for a run to be stopped; a run whose claim is not greater has nothing to fear. ``turns``: those now
    in force, ``reserved``: what is kept for a blocked gang; the owner of the state keeps both there for the next
    pass, and decides again when the turns are over. ``at_ms``: the instant of the pass.
    """

    starts: list[Start] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    whys: dict[str | Ask, Why] = field(default_factory=dict)
    free_before: tuple[int, ...] = ()
    free_after: tuple[int, ...] = ()
    least_claim: float = inf
    turns: Turns | None = None
    reserved: Reservation | None = None
    at_ms: int = 0
