"""What calendars and people do in the middle of a month: clocks that change, and a currency that cannot."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.integration.terms.plane import OPERATOR, Plane

from petahour.control.audit import audit
from petahour.control.credit import add_credit
from petahour.control.tenants import create_tenant
from petahour.model.errors import ConflictError, ValidationError
from petahour.model.time import HOUR_MS, MINUTE_MS, to_iso, to_ms


def night_book(name: str, from_ms: int, offset: str) -> str:
    """Cheap until two in the morning by the clocks on the wall."""
    return (
        f'[[price_book]]\nid = "{name}"\ncurrency = "CNY"\neffective = {to_iso(from_ms)}\nutc_offset = "{offset}"\n'
        'prices.cpu.on-demand = { price = "3.00", hours = [{ from = 0, to = 2, price = "1.00" }] }\n'
    )


def unfaulted(plane: Plane) -> None:
    with plane.context.store.read() as tx:
        assert [check for check in audit(tx) if not check.ok] == []


@pytest.mark.parametrize(
    ("turn", "before", "after", "prices"),
    [
        # Two o'clock does not come: midnight and one are cheap, the next hour is three.
        (datetime(2026, 3, 8, 7, tzinfo=UTC), "-05:00", "-04:00", [3, 1, 1, 3, 3]),
        # One o'clock comes twice, and is cheap twice.
        (datetime(2026, 11, 1, 6, tzinfo=UTC), "-04:00", "-05:00", [3, 1, 1, 1, 3]),
    ],
)
def test_where_clocks_change_a_book_with_the_other_offset_takes_over(
    url: str, tmp_path: Path, turn: datetime, before: str, after: str, prices: list[int]
) -> None:
    turn_ms = to_ms(turn)
    plane = Plane.open(url, tmp_path / "data", now_ms=turn_ms - 3 * HOUR_MS)
    plane.publish(night_book("before", turn_ms - 3 * HOUR_MS, before))
    plane.publish(night_book("after", turn_ms, after))
    plane.topup("100")
    plane.submit()
    plane.step()
    plane.advance(5 * HOUR_MS, by_ms=10 * MINUTE_MS)
    # Every hour of UTC is one record of an hour and has one price.
    charged = plane.charges()
    assert [one.price_micros // 1_000_000 for one in charged] == prices
    assert [one.amount_micros for one in charged] == [price * 1_000_000 for price in prices]
    assert [one.hour_ms for one in charged] == [turn_ms + number * HOUR_MS for number in range(-3, 2)]
    unfaulted(plane)
    plane.close()


def test_a_leap_day_is_twenty_four_hours_of_february(url: str, tmp_path: Path) -> None:
    begin_ms = to_ms(datetime(2028, 2, 28, 22, tzinfo=UTC))
    plane = Plane.open(url, tmp_path / "data", now_ms=begin_ms)
    plane.topup("100")
    plane.submit()
    plane.step()
    plane.advance(28 * HOUR_MS, by_ms=HOUR_MS)
    days = [to_iso(one.hour_ms)[:10] for one in plane.charges()]
    assert {day: days.count(day) for day in days} == {"2028-02-28": 2, "2028-02-29": 24, "2028-03-01": 2}
    unfaulted(plane)
    plane.close()


def test_a_tenants_currency_does_not_change_in_mid_month(plane: Plane) -> None:
    plane.topup("100")
    plane.submit()
    plane.step()
    plane.advance(90 * MINUTE_MS, by_ms=30 * MINUTE_MS)
    with pytest.raises(ConflictError):
        create_tenant(plane.context, OPERATOR, name="acme", title="", currency="USD")
    with pytest.raises(ValidationError) as refused:
        add_credit(plane.context, OPERATOR, "acme", amount="5", currency="USD", key="wire-2", note="")
    assert refused.value.field == "currency"
    now_ms = plane.clock.at_ms
    plane.publish(night_book("dollars", now_ms + 1, "+00:00").replace("CNY", "USD"))
    plane.advance(2 * HOUR_MS, by_ms=30 * MINUTE_MS)
    assert {(one.currency, one.price_book) for one in plane.charges()} == {("CNY", "sample-cny-1")}
    with plane.context.store.read() as tx:
        assert {one.currency for one in tx.ledger.balances() if ":acme:" in one.account} == {"CNY"}
    unfaulted(plane)
