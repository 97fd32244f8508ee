"""Lending: the owner's share of what spot earns on seats of a reservation that are lent, record by record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from petahour.model.invoices import PPM
from petahour.model.promises import Lending
from petahour.model.resources import Slot
from petahour.model.time import HOUR_MS
from petahour.model.usage import AccountKind, Charge, Transfer, TransferKind, UsageRecord, account_id

LENT = "lent"  # in the place of the tier, in the revenue account that shares are taken from


def lent_ams(record: UsageRecord, slots: Iterable[Slot], lending: Lending) -> int:
    """Accelerator-milliseconds of a usage record on seats while they were lent. ``slots`` are its allocation's."""
    both_ms = min(record.end_ms, lending.to_ms) - max(record.start_ms, lending.from_ms)
    if both_ms <= 0 or not record.billed_ams:
        return 0
    seats = {slot.node: slot.indexes for slot in lending.seats}
    return both_ms * sum(len(set(slot.indexes) & set(seats.get(slot.node, ()))) for slot in slots)


def shares(amount_micros: int, billed_ams: int, weights: Mapping[str, int]) -> dict[str, int]:
    """What each reservation's owner gets of a charge, in micro-units, by reservation.

    ``weights``: accelerator-milliseconds that were lent, times the share in parts per million. The sum is rounded
    once, half to even; each share is rounded down, and the micro-units that are then missing go to those that lost
    most, the first of equals. So the shares never come to more than the charge.
    """
    whole = billed_ams * PPM
    total, rest = divmod(amount_micros * sum(weights.values()), whole)
    total += 2 * rest + (total & 1) > whole
    found = {name: amount_micros * weight // whole for name, weight in weights.items()}
    lost = sorted(weights, key=lambda name: (-(amount_micros * weights[name] % whole), name))
    for name in lost[: total - sum(found.values())]:
        found[name] += 1
    return found


def share_transfers(
    record: UsageRecord,
    charge: Charge,
    slots: Sequence[Slot],
    lendings: Iterable[Lending],
    *,
    worth: Mapping[str, int],
    sides: Mapping[str, AccountKind],
    at_ms: int,
) -> dict[str, Transfer]:
    """The credits that a spot charge causes, by reservation, dated inside its hour like the charge itself.

    ``worth``: what is shared by currency: the charge in its own, and what the same time costs as spot in others;
    owners of a currency that is not there get nothing. ``sides``: the account of each owner that its credit goes to.
    """
    weights: dict[str, dict[str, int]] = {}
    owners: dict[str, Lending] = {}
    for one in lendings:
        ams = lent_ams(record, slots, one) if one.currency in worth else 0
        if ams:
            of = weights.setdefault(one.currency, {})
            of[one.reservation] = of.get(one.reservation, 0) + ams * one.share_ppm
            owners[one.reservation] = one
    found = {
        name: micros
        for currency, of in weights.items()
        for name, micros in shares(worth[currency], record.billed_ams, of).items()
    }
    return {
        name: _credit(owners[name], record, charge, micros, sides[owners[name].tenant], at_ms)
        for name, micros in sorted(found.items())
        if micros
    }


def worth_of(record: UsageRecord, price_micros: int) -> int:
    """What the record's time costs at a price per accelerator-hour, rounded half to even as a charge is."""
    whole, rest = divmod(record.billed_ams * price_micros, HOUR_MS)
    return whole + (2 * rest + (whole & 1) > HOUR_MS)


def _credit(
    owner: Lending, record: UsageRecord, charge: Charge, micros: int, side: AccountKind, at_ms: int
) -> Transfer:
    kind = AccountKind.REHEARSAL_USE if charge.rehearsal else side
    return Transfer(
        id=share_id(record.id, owner.reservation),
        kind=TransferKind.LENT_SHARE,
        debit=lent_account(owner.currency, charge.type, rehearsal=charge.rehearsal),
        credit=account_id(kind, owner.currency, owner.tenant),
        amount_micros=micros,
        currency=owner.currency,
        at_ms=min(max(at_ms, charge.hour_ms), charge.hour_ms + HOUR_MS - 1),
        cause=record.id,
        note=share_note(owner.reservation),
    )


def share_id(usage: str, reservation: str) -> str:
    """The id of the one transfer by which a usage record earns a reservation's owner something."""
    return f"trf-lent-{usage.removeprefix('use-')}-{reservation}"


def share_note(reservation: str) -> str:
    """What an invoice calls it."""
    return f"Reservation {reservation}: lent to spot"


def lent_account(currency: str, type_name: str, *, rehearsal: bool) -> str:
    """The operator's account that shares are taken from: revenue, below zero."""
    kind = AccountKind.REHEARSAL_REVENUE if rehearsal else AccountKind.REVENUE
    return account_id(kind, currency, detail=f"{type_name}/{LENT}")
