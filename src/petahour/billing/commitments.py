"""Commitments: what a reservation costs, hour by hour, used or not, and the transfers that charge it."""

from __future__ import annotations

from collections.abc import Iterator

from petahour.model.promises import Reservation
from petahour.model.time import HOUR_MS, split_hours
from petahour.model.usage import AccountKind, Transfer, TransferKind, account_id

Hour = tuple[int, int]  # start and end of a piece of an hour, ms


def hours_of(reservation: Reservation, from_ms: int, until_ms: int) -> Iterator[Hour]:
    """The pieces of its window, cut at UTC hours, that begin from ``from_ms`` on and before ``until_ms``."""
    for _, start_ms, end_ms in split_hours(max(reservation.from_ms, from_ms), reservation.to_ms):
        if start_ms >= until_ms:
            return
        yield start_ms, end_ms


def cost_of(reservation: Reservation, start_ms: int, end_ms: int) -> int:
    """Micro-units for a piece of an hour: accelerators x time x price per accelerator-hour, rounded half to even."""
    exact = reservation.accelerators * (end_ms - start_ms) * reservation.price_micros
    whole, rest = divmod(exact, HOUR_MS)
    return whole + (2 * rest + (whole & 1) > HOUR_MS)


def early_end_fee(reservation: Reservation, end_ms: int, percent: int) -> int:
    """So many per cent of what the time from ``end_ms`` on would still cost, rounded down."""
    pieces = hours_of(reservation, max(end_ms, reservation.from_ms), reservation.to_ms)
    return sum(cost_of(reservation, *piece) for piece in pieces) * percent // 100


def commit_transfer(reservation: Reservation, hour: Hour, *, at_ms: int) -> Transfer:
    """Credit set aside for an hour of the reservation before it is over: it can be spent on nothing else."""
    return Transfer(
        id=commit_id(reservation.id, hour[0]),
        kind=TransferKind.COMMITMENT,
        debit=account_id(AccountKind.PREPAID, reservation.currency, reservation.tenant),
        credit=account_id(AccountKind.COMMITTED, reservation.currency, reservation.tenant),
        amount_micros=cost_of(reservation, *hour),
        currency=reservation.currency,
        at_ms=at_ms,
        cause=f"{reservation.id}@{hour[0]}",
        note=note_of(reservation),
    )


def earn_transfer(reservation: Reservation, hour: Hour, source: AccountKind, *, at_ms: int) -> Transfer:
    """An hour of the reservation is over: from what was set aside, or from what the tenant owes, to revenue.

    Dated inside the hour, whenever it is posted, so that a month's ledger equals the month's invoice.
    """
    return _earned(
        reservation,
        source,
        name=earn_id(reservation.id, hour[0]),
        amount_micros=cost_of(reservation, *hour),
        at_ms=min(max(at_ms, hour[0]), hour[1] - 1),
        cause=f"{reservation.id}@{hour[0]}",
        note=note_of(reservation),
    )


def fee_transfer(reservation: Reservation, source: AccountKind, amount_micros: int, *, at_ms: int) -> Transfer:
    """The fee for an early end."""
    return _earned(
        reservation,
        source,
        name=early_end_id(reservation.id),
        amount_micros=amount_micros,
        at_ms=at_ms,
        cause=reservation.id,
        note=f"Early end of reservation {reservation.id}",
    )


def note_of(reservation: Reservation) -> str:
    """What an invoice calls it."""
    return f"Reservation {reservation.id}: {reservation.nodes} x {reservation.per_node}"


def commit_id(reservation: str, start_ms: int) -> str:
    """The id of the one transfer that sets credit aside for an hour."""
    return f"trf-commit-{reservation}-{start_ms}"


def earn_id(reservation: str, start_ms: int) -> str:
    """The id of the one transfer that charges an hour."""
    return f"trf-reserved-{reservation}-{start_ms}"


def early_end_id(reservation: str) -> str:
    """The id of the one transfer that charges the fee for its early end."""
    return f"trf-early-end-{reservation}"


def _earned(
    reservation: Reservation,
    source: AccountKind,
    *,
    name: str,
    amount_micros: int,
    at_ms: int,
    cause: str,
    note: str,
) -> Transfer:
    rehearsal = source is AccountKind.REHEARSAL_USE
    earned = AccountKind.REHEARSAL_REVENUE if rehearsal else AccountKind.REVENUE
    return Transfer(
        id=name,
        kind=TransferKind.FEE,
        debit=account_id(source, reservation.currency, reservation.tenant),
        credit=account_id(earned, reservation.currency, detail=f"{reservation.type}/reserved"),
        amount_micros=amount_micros,
        currency=reservation.currency,
        at_ms=at_ms,
        cause=cause,
        note=note,
    )
