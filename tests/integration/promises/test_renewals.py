"""Renewals on a floor that a test steps: told before, made once, refused in words, and months of the calendar."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from tests.integration.promises.test_reservations import ADMIN, CPU_MICROS, balance
from tests.integration.store.conftest import postgres, store, url
from tests.property.control.floor import OPERATOR, HandPlane

from petahour.control.audit.stream import audit_log
from petahour.control.notices.contacts import add_contact, notices_of
from petahour.control.renewals import next_renewal, set_renewal
from petahour.control.reservation_changes import end_reservation, extend, upgrade
from petahour.control.reservations import Wish, confirm, reservation_for, reserve
from petahour.model.errors import ConflictError, ForbiddenError
from petahour.model.events import EventKind
from petahour.model.notices import Channel
from petahour.model.promises import Reservation, ReservationState
from petahour.model.time import DAY_MS, HOUR_MS, MINUTE_MS, next_month_end, to_datetime, to_iso, to_ms
from petahour.model.usage import AccountKind, Transfer
from petahour.store.sql.store import SqlStore

__all__ = ["postgres", "store", "url"]


@pytest.fixture
def plane(tmp_path: Path, store: SqlStore) -> Iterator[HandPlane]:
    made = HandPlane(tmp_path, store=store)
    add_contact(made.context, OPERATOR, "acme", channel=Channel.WEBHOOK, target="https://hooks.acme.example/p")
    yield made
    assert list(audit_log(made.log())) == []
    made.require_sound()


def monthly(plane: HandPlane, **rest: object) -> Reservation:
    terms = {"tenant": "acme", "type": "cpu", "price": "0.01", "count": 4, "months": 1, "renews": True} | rest
    made = reserve(plane.context, OPERATOR, Wish(**terms))  # type: ignore[arg-type]
    plane.step(1)
    return made


def now(plane: HandPlane, made: Reservation) -> Reservation:
    return reservation_for(plane.context, OPERATOR, made.id)


def steps(plane: HandPlane) -> list[str]:
    found = [event.data["step"] for event in plane.log() if event.kind is EventKind.RESERVATION_RENEWAL]
    # Other notices may lie between them: where credit ends soon its owner is warned.
    told = [json.loads(one.body) for one in reversed(notices_of(plane.context, OPERATOR, "acme"))]
    assert [one["step"] for one in told if "step" in one] == found
    return [str(step) for step in found]


def to(plane: HandPlane, at_ms: int) -> None:
    plane.step(at_ms - plane.clock.at_ms)


def test_it_is_announced_a_week_and_renewed_three_days_before_its_end_at_its_price(plane: HandPlane) -> None:
    made = monthly(plane)
    second = next_month_end(made.from_ms, made.to_ms)
    assert next_renewal(plane.context, made) == (made.to_ms - 3 * DAY_MS, second)
    to(plane, made.to_ms - 7 * DAY_MS - MINUTE_MS)
    assert steps(plane) == []
    to(plane, made.to_ms - 7 * DAY_MS + MINUTE_MS)
    assert steps(plane) == ["announced"]
    told = next(event for event in plane.log() if event.kind is EventKind.RESERVATION_RENEWAL)
    assert f"renewed until {to_iso(second)}, at its price of 0.01 CNY per accelerator-hour" in str(told.data["text"])
    assert f"petahour reserve renew {made.id} --off" in str(told.data["text"])
    to(plane, made.to_ms - 3 * DAY_MS - MINUTE_MS)
    assert now(plane, made).to_ms == made.to_ms
    for after_ms in (MINUTE_MS, MINUTE_MS, DAY_MS, 4 * DAY_MS):
        plane.start()
        plane.step(after_ms)
    assert steps(plane) == ["announced", "renewed"]
    renewed = now(plane, made)
    assert (renewed.to_ms, renewed.price_micros, renewed.seats) == (second, made.price_micros, made.seats)
    to(plane, second - 4 * DAY_MS)
    to(plane, second - 2 * DAY_MS)
    assert steps(plane) == ["announced", "renewed", "announced", "renewed"]
    assert now(plane, made).to_ms == next_month_end(made.from_ms, second)


def test_the_owner_may_let_it_end_and_only_the_operator_begins_it(plane: HandPlane) -> None:
    made = monthly(plane)
    to(plane, made.to_ms - 5 * DAY_MS)
    assert steps(plane) == ["announced"]
    assert set_renewal(plane.context, ADMIN, made.id, renews=False).renew_from_ms is None
    assert set_renewal(plane.context, ADMIN, made.id, renews=False).renew_from_ms is None
    with pytest.raises(ForbiddenError):
        set_renewal(plane.context, ADMIN, made.id, renews=True)
    to(plane, made.to_ms + HOUR_MS)
    assert steps(plane) == ["announced"]
    assert now(plane, made).to_ms == made.to_ms
    with pytest.raises(ConflictError, match="one that is not over"):
        set_renewal(plane.context, OPERATOR, made.id, renews=True)


def test_a_refusal_is_told_once_tried_again_and_made_when_there_is_room(plane: HandPlane) -> None:
    made = monthly(plane)
    end_ms = made.to_ms
    wish = Wish(tenant="beta", type="cpu", count=8, from_ms=end_ms, to_ms=end_ms + DAY_MS, price="0.01")
    other = reserve(plane.context, OPERATOR, wish)
    to(plane, end_ms - 3 * DAY_MS)
    for _ in range(3):
        plane.step(61 * MINUTE_MS)
    assert steps(plane) == ["refused"]
    told = [event for event in plane.log() if event.kind is EventKind.RESERVATION_RENEWAL][-1]
    assert "0 of 8 cpu can still be promised" in str(told.data["text"])
    end_reservation(plane.context, OPERATOR, other.id)
    plane.step(61 * MINUTE_MS)
    assert steps(plane) == ["refused", "renewed"]
    assert now(plane, made).to_ms == next_month_end(made.from_ms, end_ms)


def test_credit_has_to_cover_the_first_hour_of_the_month_to_come(plane: HandPlane) -> None:
    made = monthly(plane, price="0.40")  # 1,152.00 in 30 days: more than there is
    to(plane, made.to_ms - 4 * DAY_MS)
    to(plane, made.to_ms - 3 * DAY_MS)
    assert steps(plane) == ["announced", "refused"]
    plane.credit("acme", "1000.00", "second")
    plane.step(61 * MINUTE_MS)
    assert steps(plane) == ["announced", "refused", "renewed"]


def test_what_enlarges_a_reservation_is_renewed_to_the_same_end(plane: HandPlane) -> None:
    made = monthly(plane, count=2)
    plane.step(5 * DAY_MS)
    beside = upgrade(plane.context, OPERATOR, made.id, count=2, price=None)
    assert (beside.to_ms, beside.renew_from_ms) == (made.to_ms, made.from_ms)
    to(plane, made.to_ms - 3 * DAY_MS)
    plane.step(MINUTE_MS)
    assert now(plane, beside).to_ms == now(plane, made).to_ms > made.to_ms


def test_a_request_keeps_its_wish_an_early_end_forgets_it_and_every_hour_is_charged(plane: HandPlane) -> None:
    wish = Wish(tenant="acme", type="cpu", count=2, months=1, renews=True)
    asked = reserve(plane.context, ADMIN, wish)
    made = confirm(plane.context, OPERATOR, asked.id, price="0.40")
    assert made.renew_from_ms == asked.from_ms
    plane.step(1)
    longer = extend(plane.context, OPERATOR, made.id, to_ms=made.to_ms + 10 * DAY_MS)
    assert next_renewal(plane.context, longer) == (
        longer.to_ms - 3 * DAY_MS,
        next_month_end(made.from_ms, made.to_ms),
    )
    to(plane, longer.to_ms - 2 * DAY_MS)
    renewed = now(plane, made)
    assert renewed.to_ms == next_month_end(made.from_ms, made.to_ms)
    ended, _ = end_reservation(plane.context, ADMIN, made.id)
    assert (ended.state, ended.renew_from_ms) == (ReservationState.CONFIRMED, None)
    to(plane, ended.to_ms + MINUTE_MS)
    hours = ended.to_ms - ended.from_ms
    fee = next(one for one in _transfers(plane) if one.id.startswith("trf-early-end"))
    paid = -balance(plane, AccountKind.RECEIVABLE) + 1_000_000_000 - balance(plane, AccountKind.PREPAID)
    assert abs(paid - fee.amount_micros - 2 * CPU_MICROS * hours // HOUR_MS) <= 2


def _transfers(plane: HandPlane) -> list[Transfer]:
    with plane.store.read() as tx:
        return list(tx.ledger.transfers())


@pytest.mark.parametrize(
    ("begin", "ends"),
    [
        ("2027-01-31T00:00:00+00:00", ["2027-02-28T00", "2027-03-31T00", "2027-04-30T00", "2027-05-31T00"]),
        ("2028-01-30T10:20:00+00:00", ["2028-02-29T11", "2028-03-30T11", "2028-04-30T11"]),
        ("2028-02-29T23:30:00+00:00", ["2028-03-30T00", "2028-04-30T00", "2028-05-30T00"]),
        # Clocks are changed on 28 March 2027 in Europe and on 14 March in America; UTC knows nothing of it.
        ("2027-03-14T02:00:00+00:00", ["2027-04-14T02", "2027-05-14T02"]),
        ("2026-12-31T00:00:00+00:00", ["2027-01-31T00", "2027-02-28T00", "2027-03-31T00"]),
    ],
)
def test_months_are_those_of_the_calendar_counted_from_the_beginning(begin: str, ends: list[str]) -> None:
    begin_ms = to_ms(datetime.fromisoformat(begin))
    at_ms = begin_ms
    for end in ends:
        at_ms = next_month_end(begin_ms, at_ms)
        assert f"{to_datetime(at_ms):%Y-%m-%dT%H}" == end
        assert at_ms % HOUR_MS == 0
