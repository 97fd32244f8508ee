"""Credit: who may add how much of it, and how long it lasts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from petahour.model.tenants import Role


@dataclass(frozen=True, kw_only=True, slots=True)
class TopupRule:
    """What a role may add at once in a currency: at most ``most_micros``, and alone at most ``alone_micros``."""

    currency: str
    role: Role
    most_micros: int
    alone_micros: int


class RequestState(StrEnum):
    """A top-up that needs a second person waits for one."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class TopupRequest:
    """A top-up above what its author may add alone. One key of a tenant is one request."""

    tenant: str
    key: str
    amount_micros: int
    currency: str
    note: str
    requested_by: str
    requested_ms: int
    state: RequestState = RequestState.WAITING
    decided_by: str = ""
    decided_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Runway:
    """How long a tenant's credit lasts at the present burn.

    ``left_micros``: what is posted, with the credit limit and what is set aside for the rest of reserved hours
    (``aside_micros``), less what running work and reservations have used since they were last charged.
    ``burn_micros``: what the running work and the reservations in force cost an hour now, of which those take
    ``reserved_micros``. ``exhausted_ms`` None: nothing burns.
    """

    tenant: str
    currency: str
    posted_micros: int
    held_micros: int
    limit_micros: int
    accrued_micros: int
    burn_micros: int
    at_ms: int
    exhausted_ms: int | None
    reserved_micros: int = 0
    aside_micros: int = 0

    @property
    def left_micros(self) -> int:
        return self.posted_micros + self.limit_micros + self.aside_micros - self.accrued_micros

    @property
    def overspent_micros(self) -> int:
        """What was used beyond all credit: during the grace periods of jobs that were stopped for it."""
        return max(0, -self.left_micros)

    @property
    def left_ms(self) -> int | None:
        return None if self.exhausted_ms is None else max(0, self.exhausted_ms - self.at_ms)


class DunningStep(StrEnum):
    """How far the collection of an overdue invoice has come; each step includes those before it."""

    NONE = "none"
    REMIND = "remind"
    STOP_NEW = "stop-new"
    STOP_SPOT = "stop-spot"
    STOP_ALL = "stop-all"


@dataclass(frozen=True, kw_only=True, slots=True)
class CreditTerms:
    """How a tenant pays. ``postpaid``: use is owed, up to ``limit_micros``; otherwise it is paid from credit.

    The days count from an invoice's due date to each step of its collection.
    """

    tenant: str
    postpaid: bool = False
    limit_micros: int = 0
    remind_days: int = 1
    stop_new_days: int = 7
    stop_spot_days: int = 14
    stop_all_days: int = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What a project may spend in a calendar month (UTC). ``hard``: at the limit its work stops.

    ``alerts`` are per cent of the limit at which the tenant is told. ``told_month`` and ``told_percent`` are what it
    was told last.
    """

    tenant: str
    project: str
    limit_micros: int
    hard: bool
    alerts: tuple[int, ...] = (50, 80, 100)
    told_month: str = ""
    told_percent: int = 0
