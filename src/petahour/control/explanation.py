"""Explain any number: from a charge, a transfer, a usage record or an allocation down to the job it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from petahour.billing.book import PriceBook
from petahour.billing.lending import lent_ams, share_id
from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.pricing import why_book
from petahour.model.allocations import Allocation
from petahour.model.errors import NotFoundError
from petahour.model.events import Event
from petahour.model.jobs import Job, Promise, Tier
from petahour.model.prices import SpotPrice
from petahour.model.tenants import Caller
from petahour.model.usage import Charge, Transfer, TransferKind, UsageRecord
from petahour.store.protocol import Transaction


class Subject(StrEnum):
    """What can be asked about."""

    CHARGE = "charge"
    TRANSFER = "transfer"
    USAGE = "usage"
    ALLOCATION = "allocation"


@dataclass(frozen=True, kw_only=True, slots=True)
class Movement:
    """A transfer, and the number of the invoice that bills it, if one does."""

    transfer: Transfer
    invoice: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """One usage record with its charge and every transfer that the charge caused, reversals included, and to the
    operator's people the shares of who lent the seats.

    ``book_effective_ms``: since when the price book of the charge is in force, None when it is no longer known;
    ``book_reason``: why this book prices it. ``posted``: the posted spot price of its hour, with what it came from,
    where the book posts one.
    """

    usage: UsageRecord
    charge: Charge | None
    book_effective_ms: int | None
    posted: SpotPrice | None
    book_reason: str | None
    movements: tuple[Movement, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LentPart:
    """How much of a usage record lay on seats that a reservation lent, and the owner's part of what that cost."""

    reservation: str
    share_ppm: int
    lent_ams: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """The way from what was asked about to its job. Money that no use caused has ``movements`` alone.

    The share of what lent seats earned (``lent``) has the spot charge it is of. Whose job that was is for the
    operator's people alone: the owner sees its time, price and amount.
    """

    subject: Subject
    id: str
    tenant: str | None
    movements: tuple[Movement, ...]
    pieces: tuple[Piece, ...]
    allocation: Allocation | None
    events: tuple[Event, ...]
    job: Job | None
    lent: tuple[LentPart, ...] = ()


def explain(context: Context, caller: Caller, subject: Subject, name: str) -> Explanation:
    """The whole way, as it is stored now. Raises NotFoundError where there is none that the caller may see."""
    with context.store.read() as tx:
        found = _Finder(tx, context, whole=caller.role.of_operator).find(subject, name)
    if found is None or not (caller.role.of_operator or (found.tenant is not None and caller.tenant == found.tenant)):
        raise NotFoundError(
            field=subject.value,
            value=name,
            rule=f"no such {subject.value}",
            remedy='"petahour usage --json" has each record with its charge and allocation; invoices list lines.',
        )
    authorize(caller, Action.READ_USAGE, found.tenant)
    return found


class _Finder:
    """Follows ids within one view of the store."""

    def __init__(self, tx: Transaction, context: Context, *, whole: bool) -> None:
        self._tx, self._whole = tx, whole
        self._prices = context.prices

    def find(self, subject: Subject, name: str) -> Explanation | None:
        if subject is Subject.TRANSFER:
            return self._of_transfer(name)
        if subject is Subject.ALLOCATION:
            allocation = self._tx.allocations.get(name)
            return None if allocation is None else self._of_use(subject, name, allocation.id)
        usage = self._tx.ledger.usage_record(name) if subject is Subject.USAGE else self._charged(name)
        return None if usage is None else self._of_use(subject, name, usage.allocation, usage)

    def _charged(self, name: str) -> UsageRecord | None:
        charge = self._tx.ledger.charge(name)
        return None if charge is None else self._tx.ledger.usage_record(charge.usage)

    def _of_transfer(self, name: str) -> Explanation | None:
        asked = self._tx.ledger.transfer(name)
        if asked is None:
            return None
        first = self._cause(asked)
        if first.kind is TransferKind.CHARGE:
            usage = self._tx.ledger.usage_record(first.cause)
            if usage is not None:
                return self._of_use(Subject.TRANSFER, name, usage.allocation, usage)
        movements = tuple(self._movements(first))
        if first.kind is TransferKind.LENT_SHARE:
            return self._of_share(name, first, movements)
        held = self._tx.allocations.get(first.cause)
        if held is not None:
            return self._of_use(Subject.TRANSFER, name, held.id, movements=movements)
        return Explanation(
            subject=Subject.TRANSFER,
            id=name,
            tenant=_owner(first),
            movements=movements,
            pieces=(),
            allocation=None,
            events=(),
            job=None,
        )

    def _of_share(self, name: str, share: Transfer, movements: tuple[Movement, ...]) -> Explanation | None:
        """From a share of what lent seats earned to the spot usage record and its charge."""
        usage = self._tx.ledger.usage_record(share.cause)
        found = None if usage is None else self._of_use(Subject.TRANSFER, name, usage.allocation, usage)
        if usage is None or found is None or found.allocation is None:
            return found
        lent: dict[str, LentPart] = {}
        for one in self._tx.promises.lendings(from_ms=usage.start_ms, to_ms=usage.end_ms):
            ams = lent_ams(usage, found.allocation.slots, one)
            if ams and share.id == share_id(usage.id, one.reservation):
                before = lent[one.reservation].lent_ams if one.reservation in lent else 0
                lent[one.reservation] = LentPart(
                    reservation=one.reservation, share_ppm=one.share_ppm, lent_ams=before + ams
                )
        found = replace(found, tenant=_owner(share), movements=movements, lent=tuple(lent.values()))
        if self._whole:
            return found
        bare = tuple(_nameless(piece) for piece in found.pieces)
        return replace(found, pieces=bare, allocation=None, events=(), job=None)

    def _cause(self, transfer: Transfer) -> Transfer:
        """What the transfer takes back or closes, and what that one takes back, to the first of them."""
        while transfer.kind is TransferKind.REVERSAL or transfer.kind.closes:
            before = self._tx.ledger.transfer(transfer.pending or transfer.cause)
            if before is None:
                break
            transfer = before
        return transfer

    def _of_use(
        self,
        subject: Subject,
        name: str,
        allocation_id: str,
        usage: UsageRecord | None = None,
        movements: tuple[Movement, ...] | None = None,
    ) -> Explanation | None:
        allocation = self._tx.allocations.get(allocation_id)
        if allocation is None:
            return None
        if movements is not None:
            used: Sequence[UsageRecord] = ()
        else:
            used = self._tx.ledger.usage_of(allocation_id) if usage is None else (usage,)
        job = self._tx.jobs.get(allocation.job)
        promise = None if job is None else job.spec.promise
        return Explanation(
            subject=subject,
            id=name,
            tenant=allocation.tenant,
            movements=movements or (),
            pieces=tuple(self._piece(record, allocation, promise) for record in used),
            allocation=allocation,
            events=tuple(
                event for event in self._tx.events.of_job(allocation.job) if event.allocation in (None, allocation_id)
            ),
            job=job,
        )

    def _piece(self, usage: UsageRecord, allocation: Allocation, promise: Promise | None) -> Piece:
        charge = self._tx.ledger.charge_of(usage.id)
        posted = None if charge is None else self._tx.ledger.transfer(f"trf-{charge.id}")
        book = None if charge is None else self._prices.named(charge.price_book)
        return Piece(
            usage=usage,
            charge=charge,
            book_effective_ms=None if book is None else book.effective_ms,
            book_reason=None if charge is None else why_book(allocation, promise, usage.start_ms),
            posted=None if book is None else self._posted(usage, book),
            movements=() if posted is None else (*self._movements(posted), *self._shared(usage)),
        )

    def _shared(self, usage: UsageRecord) -> Iterator[Movement]:
        """What owners of lent seats got of the charge: whose they are is for the operator's people alone."""
        if usage.tier is not Tier.SPOT or not self._whole:
            return
        lendings = self._tx.promises.lendings(from_ms=usage.start_ms, to_ms=usage.end_ms)
        for name in sorted({one.reservation for one in lendings}):
            share = self._tx.ledger.transfer(share_id(usage.id, name))
            if share is not None:
                yield from self._movements(share)

    def _posted(self, usage: UsageRecord, book: PriceBook) -> SpotPrice | None:
        if usage.tier is not Tier.SPOT or usage.type not in book.spot:
            return None
        found = self._tx.prices.posted(currency=book.currency, type=usage.type, until_ms=usage.start_ms, limit=1)
        return found[0] if found else None

    def _movements(self, first: Transfer) -> Iterator[Movement]:
        """The transfer, and after it what closed it or took it back, in order."""
        following: Transfer | None = first
        while following is not None:
            yield Movement(transfer=following, invoice=self._tx.ledger.invoice_of(following.id))
            following = self._tx.ledger.consequence(following)


def _nameless(piece: Piece) -> Piece:
    """The piece without whose it was."""
    usage = replace(piece.usage, tenant="", project="", job="", allocation="")
    charge = None if piece.charge is None else replace(piece.charge, tenant="", project="")
    return replace(piece, usage=usage, charge=charge, movements=())


def _owner(transfer: Transfer) -> str | None:
    owners = {account.split(":")[1] for account in (transfer.debit, transfer.credit)} - {"operator"}
    return owners.pop() if len(owners) == 1 else None
