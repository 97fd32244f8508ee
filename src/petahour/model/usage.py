"""Usage records, charges and ledger rows: the nouns of money."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from petahour.model.jobs import Tier


class WaiveReason(StrEnum):
    """Why held accelerator time is not billed (the written policy, case by case)."""

    PROVISIONING = "provisioning"
    PREEMPTION = "preemption"
    LOST = "lost"


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageRecord:
    """Accelerator-milliseconds of one allocation inside one UTC hour, one piece ``[start_ms, end_ms)``.

    ``billed_ams`` + ``waived_ams`` = (end - start) x accelerators. The id derives from allocation and start.
    """

    id: str
    allocation: str
    job: str
    tenant: str
    project: str
    type: str
    tier: Tier
    rehearsal: bool
    hour_ms: int
    start_ms: int
    end_ms: int
    accelerators: int
    billed_ams: int
    waived_ams: int
    waive_reason: WaiveReason | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """The price of a usage record: ``billed_ams`` x ``price_micros`` per accelerator-hour, rounded once."""

    id: str
    usage: str
    tenant: str
    project: str
    type: str
    tier: Tier
    rehearsal: bool
    price_book: str
    price_micros: int
    amount_micros: int
    currency: str
    hour_ms: int


class AccountKind(StrEnum):
    """Whose money an account counts. All are credit-normal: what a tenant owes is a negative receivable.

    Of a tenant: ``prepaid`` credit, the ``receivable`` that invoices add to and payments settle, and what is
    ``committed`` to reservations. Of the operator: ``cash``; ``revenue`` with a detail ``TYPE/TIER``, of which
    ``TYPE/lent`` is negative: what owners of reservations get of the spot revenue on seats that they lend; what was
    given away as ``credits-granted`` and ``service-credits``; ``tax`` collected; ``rounding``; ``bad-debt``.
    Rehearsal sums have accounts of their own.
    """

    CASH = "cash"
    PREPAID = "prepaid"
    RECEIVABLE = "receivable"
    COMMITTED = "committed"
    REVENUE = "revenue"
    CREDITS_GRANTED = "credits-granted"
    SERVICE_CREDITS = "service-credits"
    TAX = "tax"
    ROUNDING = "rounding"
    BAD_DEBT = "bad-debt"
    REHEARSAL_USE = "rehearsal-use"
    REHEARSAL_REVENUE = "rehearsal-revenue"


class TransferKind(StrEnum):
    """``pending`` reserves; ``post``, ``void`` and ``expire`` close a pending one; the rest move money at once."""

    TOPUP = "topup"
    REFUND = "refund"
    GRANT = "grant"
    SERVICE_CREDIT = "service-credit"
    CHARGE = "charge"
    COMMITMENT = "commitment"
    FEE = "fee"
    LENT_SHARE = "lent-share"
    TAX = "tax"
    ROUNDING = "rounding"
    OFFSET = "offset"
    PAYMENT = "payment"
    WRITE_OFF = "write-off"
    REVERSAL = "reversal"
    PENDING = "pending"
    POST = "post"
    VOID = "void"
    EXPIRE = "expire"

    @property
    def closes(self) -> bool:
        """It ends a pending transfer."""
        return self in _CLOSING


_CLOSING = frozenset({TransferKind.POST, TransferKind.VOID, TransferKind.EXPIRE})


@dataclass(frozen=True, kw_only=True, slots=True)
class Transfer:
    """Double entry: ``amount_micros`` out of ``debit`` into ``credit`` (account ids). Append-only.

    The id derives from ``cause`` (a usage record, a top-up key, an allocation), so a repeat is a no-op.
    ``pending`` names the pending transfer that a post, void or expiry closes. ``expires_ms`` (pending ones
    only): from when on it may be given up without asking; None: it stays until it is closed.
    """

    id: str
    kind: TransferKind
    debit: str
    credit: str
    amount_micros: int
    currency: str
    at_ms: int
    cause: str
    pending: str = ""
    note: str = ""
    expires_ms: int | None = None


class PricedUsage(NamedTuple):
    """A usage record, or a part of one, with the book and the price that hold for it; and who is charged how."""

    record: UsageRecord
    price_book: str
    price_micros: int
    currency: str
    postpaid: bool


class RatedUsage(NamedTuple):
    """A usage record with its charge and the transfer that posts it; None: it costs nothing, so nothing moves."""

    record: UsageRecord
    charge: Charge
    transfer: Transfer | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Balance:
    """An account's sums in micro-units. All four only grow, except pending ones when they are closed."""

    account: str
    currency: str
    debits_micros: int = 0
    credits_micros: int = 0
    pending_debits_micros: int = 0
    pending_credits_micros: int = 0

    @property
    def posted_micros(self) -> int:
        """Credit-normal balance: what the account has."""
        return self.credits_micros - self.debits_micros

    @property
    def available_micros(self) -> int:
        """What is posted less what is held."""
        return self.posted_micros - self.pending_debits_micros


def account_id(kind: AccountKind, currency: str, owner: str = "operator", detail: str = "") -> str:
    """``prepaid:acme:CNY``, ``revenue:operator:CNY:a100-80g-sxm/spot``."""
    return f"{kind.value}:{owner}:{currency}:{detail}" if detail else f"{kind.value}:{owner}:{currency}"
