"""Corrections: reversals once and with a reason, holds that expire by themselves, a clock that never repeats."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.control.house import OPERATOR, House, open_house

from petahour.control.audit import audit
from petahour.control.clock import SystemClock
from petahour.control.corrections import expire_holds, reverse
from petahour.control.credit import balance_of
from petahour.engines.protocol import Phase
from petahour.model.allocations import EndKind
from petahour.model.errors import ConflictError, ForbiddenError, NotFoundError, ValidationError
from petahour.model.resources import Slot
from petahour.model.tenants import Caller, Role
from petahour.model.time import HOUR_MS
from petahour.model.usage import Transfer, TransferKind
from petahour.store.sql.store import sqlite_url

TOPUP = "trf-topup-acme:pay-1"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = open_house(sqlite_url(tmp_path / "petahour.db"), tmp_path)
    yield opened
    with opened.context.store.read() as tx:
        assert [check for check in audit(tx) if not check.ok] == []
    opened.context.store.close()


def credit(house: House) -> int:
    return balance_of(house.context, OPERATOR, "acme").posted_micros


def charged(house: House) -> Transfer:
    """A job of an hour, ended; the transfer of what it was charged."""
    house.submit("a")
    house.place("a", Slot(node="n1", indexes=(0,)))
    house.report("alloc-a-1", Phase.RUNNING, started_ms=house.clock.at_ms)
    house.clock.at_ms += 10 * 60_000
    house.report("alloc-a-1", Phase.ENDED, ended_ms=house.clock.at_ms, end_kind=EndKind.SUCCEEDED, exit_code=0)
    with house.context.store.read() as tx:
        return next(one for one in tx.ledger.transfers() if one.kind is TransferKind.CHARGE)


def test_a_charge_is_taken_back_once_and_for_good(house: House) -> None:
    charge = charged(house)
    before = credit(house)
    back = reverse(house.context, OPERATOR, charge.id, note="slow network")
    assert (back.debit, back.credit, back.note) == (charge.credit, charge.debit, "slow network")
    assert reverse(house.context, OPERATOR, charge.id, note="slow network").id == back.id
    assert credit(house) == before + charge.amount_micros == 100_000_000
    with pytest.raises(ConflictError, match="with another note"):
        reverse(house.context, OPERATOR, charge.id, note="another reason")
    with pytest.raises(ConflictError, match=f"a reversal is final: it took {charge.id} back"):
        reverse(house.context, OPERATOR, back.id, note="it was fast after all")
    assert credit(house) == 100_000_000


def test_a_top_up_that_was_taken_back_is_added_again_under_a_new_key(house: House) -> None:
    back = reverse(house.context, OPERATOR, TOPUP, note="paid by mistake")
    with pytest.raises(ConflictError, match="under a new key") as caught:
        reverse(house.context, OPERATOR, back.id, note="no, it was right")
    assert caught.value.field == "transfer"
    assert credit(house) == 0


def test_no_more_credit_is_taken_back_than_is_left(house: House) -> None:
    house.submit("a")
    house.place("a", Slot(node="n1", indexes=(0,)))
    with pytest.raises(ConflictError, match=r"at most what is left is taken back, \d+\.\d+ CNY; it moved 100\.00"):
        reverse(house.context, OPERATOR, TOPUP, note="paid by mistake")
    house.report("alloc-a-1", Phase.ENDED, end_kind=EndKind.FAILED, exit_code=1)
    reverse(house.context, OPERATOR, TOPUP, note="paid by mistake")
    assert credit(house) == 0


def test_what_cannot_be_reversed_is_refused_and_nothing_is_written(house: House) -> None:
    house.submit("a")
    house.place("a", Slot(node="n1", indexes=(0,)))
    with house.context.store.read() as tx:
        hold = next(one.id for one in tx.ledger.transfers() if one.kind is TransferKind.PENDING)
        seq, head = tx.events.last_seq(), tx.ledger.head()
    viewer = Caller(key="k", user="v", role=Role.TENANT_ADMIN, tenant="acme")
    for caller, name, note, error in (
        (OPERATOR, hold, "why", ConflictError),
        (OPERATOR, "trf-none", "why", NotFoundError),
        (OPERATOR, TOPUP, "", ValidationError),
        (OPERATOR, TOPUP, "a\nb", ValidationError),
        (OPERATOR, TOPUP, "n" * 501, ValidationError),
        (viewer, TOPUP, "why", ForbiddenError),
    ):
        with pytest.raises(error):
            reverse(house.context, caller, name, note=note)
    with house.context.store.read() as tx:
        assert (tx.events.last_seq(), tx.ledger.head()) == (seq, head)


def test_pending_transfers_end_when_their_time_is_over(house: House) -> None:
    store, now_ms = house.context.store, house.clock.at_ms
    with store.write() as tx:
        for number, expires_ms in ((1, now_ms + HOUR_MS), (2, None)):
            held = Transfer(
                id=f"trf-hold-offer-{number}",
                kind=TransferKind.PENDING,
                debit="prepaid:acme:CNY",
                credit="revenue:operator:CNY:cpu/spot",
                amount_micros=40,
                currency="CNY",
                at_ms=now_ms,
                cause="offer",
                expires_ms=expires_ms,
            )
            tx.ledger.post(held)
    assert expire_holds(store, now_ms + HOUR_MS - 1) == 0
    assert balance_of(house.context, OPERATOR, "acme").pending_debits_micros == 80
    assert [expire_holds(store, now_ms + HOUR_MS) for _ in range(2)] == [1, 0]
    assert balance_of(house.context, OPERATOR, "acme").pending_debits_micros == 40


def test_time_stands_still_until_the_host_has_caught_up_with_the_record(house: House) -> None:
    with house.context.store.read() as tx:
        recorded_ms = tx.events.latest_ms()
    at = [recorded_ms - 5_000]
    clock = SystemClock(lambda: at[0])
    assert clock.not_before(recorded_ms) == 5_000
    assert clock.now_ms() == recorded_ms
    at[0] = recorded_ms + 7
    assert clock.now_ms() == recorded_ms + 7
    at[0] = 0
    assert clock.now_ms() == recorded_ms + 7
    assert SystemClock(lambda: recorded_ms).not_before(recorded_ms) == 0
