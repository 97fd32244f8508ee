"""The ledger's rules: ids from causes, and what double entry forbids."""

from __future__ import annotations

from dataclasses import replace

import pytest

from petahour.billing.ledger import apply, check_double_entry, hold, post_charge, replay, reversal, topup, void
from petahour.model.allocations import Allocation, AllocationState
from petahour.model.errors import InvariantError, ValidationError
from petahour.model.jobs import Tier
from petahour.model.money import Money
from petahour.model.resources import Slot
from petahour.model.time import HOUR_MS
from petahour.model.usage import Balance, Charge, Transfer, TransferKind

HOUR = 1_000 * HOUR_MS
PREPAID = "prepaid:acme:CNY"
REVENUE = "revenue:operator:CNY:cpu/spot"


def allocation(*, rehearsal: bool = False) -> Allocation:
    return Allocation(
        id="alc-1",
        job="job-1",
        tenant="acme",
        project="llm",
        attempt=1,
        type="cpu",
        tier=Tier.SPOT,
        engine="local",
        slots=(Slot(node="n1", indexes=(0,)),),
        rehearsal=rehearsal,
        borrowed=False,
        price_book="book-1",
        price_micros=1_000_000,
        currency="CNY",
        state=AllocationState.STARTING,
        placed_ms=HOUR,
    )


def charge(*, rehearsal: bool = False, amount_micros: int = 400) -> Charge:
    return Charge(
        id="chg-alc-1-5",
        usage="use-alc-1-5",
        tenant="acme",
        project="llm",
        type="cpu",
        tier=Tier.SPOT,
        rehearsal=rehearsal,
        price_book="book-1",
        price_micros=1_000_000,
        amount_micros=amount_micros,
        currency="CNY",
        hour_ms=HOUR,
    )


def credit(micros: int = 1_000, key: str = "pay-1", tenant: str = "acme") -> Transfer:
    return topup(tenant=tenant, money=Money(micros, "CNY"), key=key, at_ms=HOUR)


def test_a_topup_goes_from_cash_to_prepaid() -> None:
    made = credit()
    assert (made.id, made.kind, made.cause) == ("trf-topup-acme:pay-1", TransferKind.TOPUP, "pay-1")
    assert (made.debit, made.credit, made.amount_micros) == ("cash:operator:CNY", PREPAID, 1_000)
    assert credit(tenant="a-b", key="c").id != credit(tenant="a", key="b-c").id


@pytest.mark.parametrize(
    ("micros", "key", "field"),
    [(0, "k", "amount"), (-1, "k", "amount"), (1, "", "key"), (1, "k" * 129, "key"), (1, "a\n", "key")],
)
def test_a_wrong_topup_is_refused(micros: int, key: str, field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        credit(micros, key)
    assert caught.value.field == field


def test_a_charge_is_dated_inside_its_hour() -> None:
    def dated(at_ms: int) -> int:
        return post_charge(charge(), at_ms=at_ms).at_ms

    assert dated(HOUR + 5) == HOUR + 5
    assert dated(HOUR + 3 * HOUR_MS) == HOUR + HOUR_MS - 1
    assert dated(HOUR - 5) == HOUR


def test_rehearsal_touches_no_real_account() -> None:
    real, rehearsed = post_charge(charge(), at_ms=HOUR), post_charge(charge(rehearsal=True), at_ms=HOUR)
    assert (real.id, real.debit, real.credit) == ("trf-chg-alc-1-5", PREPAID, REVENUE)
    assert (rehearsed.debit, rehearsed.credit) == (
        "rehearsal-use:acme:CNY",
        "rehearsal-revenue:operator:CNY:cpu/spot",
    )
    held = hold(allocation(rehearsal=True), number=0, amount_micros=5, at_ms=HOUR)
    assert (held.debit, held.credit) == (rehearsed.debit, rehearsed.credit)


def test_a_hold_reserves_and_a_void_gives_back() -> None:
    held = hold(allocation(), number=3, amount_micros=700, at_ms=HOUR)
    closing = void(held, at_ms=HOUR + 9)
    assert (held.id, closing.id, closing.pending) == ("trf-hold-alc-1-3", "trf-void-alc-1-3", held.id)
    while_held = replay([credit(), held])[PREPAID]
    assert (while_held.posted_micros, while_held.available_micros) == (1_000, 300)
    after = replay([credit(), held, closing, post_charge(charge(), at_ms=HOUR)])
    assert (after[PREPAID].posted_micros, after[PREPAID].available_micros) == (600, 600)
    assert after[REVENUE].posted_micros == 400
    assert after["cash:operator:CNY"].posted_micros == -1_000
    check_double_entry(after.values())


def test_a_post_moves_its_part_and_releases_the_rest() -> None:
    held = hold(allocation(), number=0, amount_micros=700, at_ms=HOUR)
    posted = replace(held, id="trf-post-1", kind=TransferKind.POST, amount_micros=500, pending=held.id)
    balances = replay([credit(), held, posted])
    assert (balances[PREPAID].posted_micros, balances[PREPAID].available_micros) == (500, 500)
    assert balances[REVENUE].posted_micros == 500
    with pytest.raises(InvariantError, match="at most what was held"):
        replay([credit(), held, replace(posted, amount_micros=701)])


def test_a_reversal_mirrors() -> None:
    posted = post_charge(charge(), at_ms=HOUR)
    back = reversal(posted, at_ms=HOUR + 9, note="node fault")
    assert (back.id, back.cause, back.note) == ("trf-rev-chg-alc-1-5", posted.id, "node fault")
    balances = replay([credit(), posted, back])
    assert balances[PREPAID].posted_micros == 1_000
    assert balances[REVENUE].posted_micros == 0
    with pytest.raises(InvariantError, match="follows"):
        replay([credit(), back])
    with pytest.raises(InvariantError, match="mirrors"):
        replay([credit(), posted, replace(back, amount_micros=399)])
    with pytest.raises(InvariantError, match="reversed"):
        reversal(hold(allocation(), number=0, amount_micros=1, at_ms=HOUR), at_ms=HOUR, note="")


def test_nothing_is_counted_twice() -> None:
    held = hold(allocation(), number=0, amount_micros=1, at_ms=HOUR)
    closing = void(held, at_ms=HOUR)
    with pytest.raises(InvariantError, match="occurs once"):
        replay([credit(), credit()])
    with pytest.raises(InvariantError, match="closed once"):
        replay([held, closing, replace(closing, id="trf-void-again")])
    with pytest.raises(InvariantError, match="that is there"):
        replay([closing])


def bad_transfers() -> list[tuple[Transfer, Transfer | None]]:
    posted = post_charge(charge(), at_ms=HOUR)
    held = hold(allocation(), number=0, amount_micros=700, at_ms=HOUR)
    closing = void(held, at_ms=HOUR)
    return [
        (replace(posted, amount_micros=-1), None),
        (replace(posted, currency="USD"), None),
        (replace(posted, debit=REVENUE), None),
        (replace(posted, debit="prepaid:other:CNY"), None),
        (replace(posted, pending=held.id), held),
        (posted, held),
        (replace(held, pending="x"), None),
        (closing, None),
        (closing, posted),
        (closing, held),  # the balances below hold less
        (replace(closing, pending="trf-hold-other"), held),
        (replace(closing, amount_micros=699), held),
        (closing, replace(held, credit=PREPAID, debit=REVENUE)),
    ]


@pytest.mark.parametrize(("transfer", "pending"), bad_transfers())
def test_what_double_entry_forbids(transfer: Transfer, pending: Transfer | None) -> None:
    debit = Balance(account=PREPAID, currency="CNY", credits_micros=1_000, pending_debits_micros=699)
    revenue = Balance(account=REVENUE, currency="CNY", pending_credits_micros=699)
    with pytest.raises(InvariantError):
        apply(debit, revenue, transfer, pending)


def test_a_hold_is_not_negative_and_only_a_hold_is_voided() -> None:
    with pytest.raises(InvariantError):
        hold(allocation(), number=0, amount_micros=-1, at_ms=HOUR)
    with pytest.raises(InvariantError):
        void(credit(), at_ms=HOUR)


def test_a_lopsided_ledger_is_found() -> None:
    with pytest.raises(InvariantError, match="debits equal credits"):
        check_double_entry([Balance(account=PREPAID, currency="CNY", credits_micros=1)])
    with pytest.raises(InvariantError, match="debits equal credits"):
        check_double_entry([Balance(account=PREPAID, currency="CNY", pending_debits_micros=1)])


def test_a_zero_charge_is_a_transfer_like_any() -> None:
    balances = replay([post_charge(charge(amount_micros=0), at_ms=HOUR)])
    assert balances[PREPAID].posted_micros == 0
