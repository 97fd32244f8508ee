"""Statements of account: balances before and after, and the use of a day as one entry."""

from __future__ import annotations

from petahour.billing.account_statement import Entry, account_statement
from petahour.model.time import DAY_MS, HOUR_MS, month_bounds
from petahour.model.usage import Transfer, TransferKind

FROM_MS, TO_MS = month_bounds("2026-03")
MINE = "prepaid:acme:CNY"


def move(name: str, kind: TransferKind, micros: int, at_ms: int, note: str = "") -> Transfer:
    gain = micros > 0
    return Transfer(
        id=name,
        kind=kind,
        debit="other:operator:CNY" if gain else MINE,
        credit=MINE if gain else "other:operator:CNY",
        amount_micros=abs(micros),
        currency="CNY",
        at_ms=at_ms,
        cause=f"cause of {name}",
        note=note,
    )


def test_a_month_with_a_balance_before_holds_and_days_of_use() -> None:
    transfers = [
        move("t", TransferKind.TOPUP, 100, FROM_MS - 1),
        move("c0", TransferKind.CHARGE, -10, FROM_MS - 1),
        move("p", TransferKind.PENDING, -50, FROM_MS),
        move("tax", TransferKind.TAX, -3, FROM_MS + 2 * DAY_MS, "PH2026-00001"),
        move("c1", TransferKind.CHARGE, -5, FROM_MS + HOUR_MS),
        move("c2", TransferKind.CHARGE, -6, FROM_MS + 2 * HOUR_MS),
        move("c3", TransferKind.CHARGE, -7, FROM_MS + DAY_MS),
        move("later", TransferKind.CHARGE, -99, TO_MS),
    ]
    found = account_statement(MINE, transfers, from_ms=FROM_MS, to_ms=TO_MS)
    assert (found.opening_micros, found.closing_micros) == (90, 69)
    assert found.entries == (
        Entry(at_ms=FROM_MS + 2 * HOUR_MS, kind="charge", note="", amount_micros=-11, balance_micros=79, count=2),
        Entry(at_ms=FROM_MS + DAY_MS, kind="charge", note="", amount_micros=-7, balance_micros=72, transfer="c3"),
        Entry(
            at_ms=FROM_MS + 2 * DAY_MS,
            kind="tax",
            note="PH2026-00001",
            amount_micros=-3,
            balance_micros=69,
            transfer="tax",
        ),
    )


def test_credit_that_was_added_before_the_days_use_stands_before_it() -> None:
    transfers = [
        move("t", TransferKind.TOPUP, 100, FROM_MS + 5 * HOUR_MS, "wire"),
        move("c1", TransferKind.CHARGE, -30, FROM_MS + 6 * HOUR_MS),
        move("c2", TransferKind.CHARGE, -40, FROM_MS + 7 * HOUR_MS),
    ]
    found = account_statement(MINE, transfers, from_ms=FROM_MS, to_ms=TO_MS)
    assert [(one.kind, one.balance_micros) for one in found.entries] == [("topup", 100), ("charge", 30)]


def test_a_days_hours_of_a_reservation_are_one_entry_and_another_reservation_is_another() -> None:
    """Whoever pays later owes each hour when it is over: 720 entries a month otherwise."""
    hours = [
        move(f"{name}-{hour}", TransferKind.FEE, -5, FROM_MS + hour * HOUR_MS, f"Reservation {name}: 1 x 2")
        for hour in range(30)
        for name in ("res-a", "res-b")
    ]
    fee = move("fee", TransferKind.FEE, -70, FROM_MS + 29 * HOUR_MS, "Early end of reservation res-a")
    found = account_statement(MINE, [*hours, fee], from_ms=FROM_MS, to_ms=TO_MS)
    assert [(one.note, one.amount_micros, one.count, one.transfer) for one in found.entries] == [
        ("Reservation res-a: 1 x 2", -120, 24, ""),
        ("Reservation res-b: 1 x 2", -120, 24, ""),
        ("Reservation res-a: 1 x 2", -30, 6, ""),
        ("Reservation res-b: 1 x 2", -30, 6, ""),
        ("Early end of reservation res-a", -70, 1, "fee"),
    ]
    assert found.closing_micros == found.entries[-1].balance_micros == -370


def test_an_account_that_nothing_touched() -> None:
    found = account_statement(MINE, [], from_ms=FROM_MS, to_ms=TO_MS)
    assert (found.opening_micros, found.entries, found.closing_micros) == (0, (), 0)
