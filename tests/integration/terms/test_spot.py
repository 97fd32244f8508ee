"""Posted spot prices in use: they follow occupancy, hours are rated by them, and limits hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.integration.terms.conftest import BEGIN_MS
from tests.integration.terms.plane import OPERATOR, Plane

from petahour.control.audit import audit
from petahour.control.explanation import Subject, explain
from petahour.control.live import LiveState
from petahour.control.prices import PriceBooks
from petahour.control.publish import prices_at
from petahour.control.quotes.make import make_quote
from petahour.control.spot import history, post_prices
from petahour.control.step import Reconciler
from petahour.model.allocations import StopCause
from petahour.model.errors import ValidationError
from petahour.model.jobs import JobState, Tier
from petahour.model.prices import SpotPrice
from petahour.model.quotes import QuoteRequest
from petahour.model.tenants import Caller, Role
from petahour.model.time import HOUR_MS, MINUTE_MS, to_iso
from petahour.scheduler.plan import HoldCode

STEP = 400_000


def book(name: str = "spot-1", from_ms: int = BEGIN_MS, rest: str = "", ceiling: str = "3.00") -> str:
    return (
        f'[[price_book]]\nid = "{name}"\ncurrency = "CNY"\neffective = {to_iso(from_ms)}\n'
        f'prices.cpu = {{ on-demand = "4.00", spot = "1.00" }}\n'
        f'spot.cpu = {{ floor = "0.50", ceiling = "{ceiling}", step = "0.40", target = 50 }}\n{rest}\n'
    )


def unfaulted(plane: Plane) -> None:
    with plane.context.store.read() as tx:
        assert [check for check in audit(tx) if not check.ok] == []


def posted(plane: Plane) -> list[tuple[int, int]]:
    """Hours since the beginning, and prices in hundredths."""
    with plane.context.store.read() as tx:
        return [((one.hour_ms - BEGIN_MS) // HOUR_MS, one.price_micros // 10_000) for one in tx.prices.posted()]


def hourly(plane: Plane) -> list[tuple[int, int]]:
    """What was charged in each hour, in hundredths of an accelerator-hour's price."""
    return sorted({((one.hour_ms - BEGIN_MS) // HOUR_MS, one.price_micros // 10_000) for one in plane.charges()})


def crash(plane: Plane) -> None:
    """A new process on the same store."""
    with plane.context.store.read() as tx:
        books = tx.prices.books()
    plane.context = replace(plane.context, live=LiveState(), prices=PriceBooks(books))
    plane.loop = Reconciler(plane.context)


def test_it_rises_while_the_fleet_is_full_and_use_is_rated_by_its_hour(plane: Plane) -> None:
    plane.publish(book())
    plane.topup("100")
    plane.submit("full", accelerators_per_node=8, tier="spot")
    plane.step()
    plane.advance(4 * HOUR_MS, by_ms=10 * MINUTE_MS)
    # There was no fleet in the hour before the first; that it is full tells two hours later.
    assert posted(plane) == [(1, 100), (2, 140), (3, 180), (4, 220), (5, 260)]
    assert hourly(plane) == [(0, 100), (1, 100), (2, 140), (3, 180)]
    plane.engine.end(next(iter(plane.engine.running)))
    plane.step()
    unfaulted(plane)
    shown = prices_at(plane.context, OPERATOR, currency="CNY", at_ms=BEGIN_MS + 2 * HOUR_MS)
    assert {(row.type, row.tier): row.micros for row in shown.rows}["cpu", Tier.SPOT] == 1_400_000
    found = explain(plane.context, OPERATOR, Subject.CHARGE, plane.charges()[-1].id)
    price = found.pieces[0].posted
    assert price is not None
    assert (price.price_micros, price.before_micros) == (1_800_000, 1_400_000)
    assert (price.held_ams, price.capacity_ams) == (8 * HOUR_MS, 8 * HOUR_MS)


def test_a_job_waits_while_the_price_is_above_its_limit_and_says_so(plane: Plane) -> None:
    plane.publish(book())
    plane.topup("100")
    job = plane.submit("patient", tier="spot", max_price="0.70")
    plane.step()
    hold = plane.context.live.holds[job.id]
    assert hold.code is HoldCode.LIMIT
    assert "1.00" in hold.text
    assert "0.70" in hold.text
    plane.advance(2 * HOUR_MS - 1, by_ms=30 * MINUTE_MS)
    assert plane.engine.running == {}
    plane.advance(2)  # 0.60 holds from now on, and 0.50 is posted.
    plane.step()
    assert len(plane.engine.running) == 1
    with plane.context.store.read() as tx:
        allocation = tx.allocations.latest([job.id])[job.id]
    assert (allocation.limit_micros, allocation.price_micros) == (700_000, 600_000)
    unfaulted(plane)


def test_it_is_stopped_a_grace_period_before_a_price_above_its_limit(plane: Plane) -> None:
    plane.publish(book())
    plane.topup("100")
    job = plane.submit("careful", accelerators_per_node=8, tier="spot", max_price="1.20", grace="10m")
    plane.step()
    plane.engine.stop_takes_ms = 10 * MINUTE_MS + 2_000  # A little longer than it was granted.
    plane.advance(HOUR_MS + 49 * MINUTE_MS, by_ms=MINUTE_MS)
    assert plane.engine.stops == []
    plane.advance(MINUTE_MS)
    # The third hour costs 1.40: it has its signal at ten minutes to the hour.
    ((name, signal, grace_ms, at_ms),) = plane.engine.stops
    assert (signal, grace_ms, at_ms) == ("SIGTERM", 10 * MINUTE_MS, BEGIN_MS + 2 * HOUR_MS - 10 * MINUTE_MS)
    plane.advance(11 * MINUTE_MS, by_ms=1_000)
    with plane.context.store.read() as tx:
        allocation = tx.allocations.get(name)
        told = [event.data.get("cause") for event in tx.events.of_job(job.id)]
    assert allocation is not None
    assert allocation.stop_cause is StopCause.LIMIT
    assert any("1.40 from" in str(cause) and "limit of 1.20" in str(cause) for cause in told)
    assert plane.job(job.id).state is JobState.QUEUED
    # The seconds of the third hour are charged at the limit, never above it.
    assert hourly(plane) == [(0, 100), (1, 100), (2, 120)]
    assert plane.context.live.holds[job.id].code is HoldCode.LIMIT
    unfaulted(plane)
    # Nobody holds anything any more: the price falls, and it goes on.
    plane.advance(3 * HOUR_MS, by_ms=10 * MINUTE_MS)
    assert plane.job(job.id).state is JobState.RUNNING
    unfaulted(plane)


def test_an_hour_is_posted_once_whatever_happens(plane: Plane) -> None:
    plane.publish(book())
    plane.topup("1000")
    plane.submit("full", accelerators_per_node=8, tier="spot")
    plane.step()
    plane.advance(2 * HOUR_MS, by_ms=10 * MINUTE_MS)
    before = posted(plane)
    crash(plane)
    plane.step()
    assert post_prices(plane.context) is False
    assert posted(plane) == before == [(1, 100), (2, 140), (3, 180)]
    # The host's clock steps back: nothing is posted anew, and later hours not twice.
    plane.clock.at_ms -= 90 * MINUTE_MS
    crash(plane)
    plane.step()
    plane.clock.at_ms += 90 * MINUTE_MS
    assert posted(plane) == before
    # Nobody watches for five hours. They keep the last price; the next one follows the hour that is over.
    plane.clock.at_ms += 5 * HOUR_MS
    crash(plane)
    plane.step()
    assert posted(plane) == [*before, (8, 220)]
    assert hourly(plane) == [(0, 100), (1, 100), (2, 140), *((hour, 180) for hour in range(3, 7))]
    unfaulted(plane)


def test_a_book_with_other_bounds_holds_from_its_effect_on(plane: Plane) -> None:
    plane.publish(book())
    plane.topup("1000")
    plane.submit("old", accelerators_per_node=8, tier="spot", walltime="30h")
    plane.step()
    plane.publish(book("spot-2", BEGIN_MS + 6 * HOUR_MS, ceiling="1.00"))
    plane.advance(8 * HOUR_MS, by_ms=10 * MINUTE_MS)
    assert posted(plane)[-4:] == [(6, 100), (7, 100), (8, 100), (9, 100)]
    assert posted(plane)[4] == (5, 260)
    unfaulted(plane)


def test_the_drained_and_the_rehearsed_do_not_move_it(plane: Plane) -> None:
    from petahour.control.fleet import drain

    plane.publish(book())
    plane.topup("100")
    plane.submit("half", accelerators_per_node=4, tier="spot")
    plane.step()
    plane.advance(2 * HOUR_MS, by_ms=10 * MINUTE_MS)
    drain(plane.context, OPERATOR, "n1", reason="repair")
    plane.advance(2 * HOUR_MS, by_ms=10 * MINUTE_MS)
    # Half of it is held: at the target, it stays. What is held on a node that drains is all there is: it is sought.
    assert posted(plane) == [(1, 100), (2, 100), (3, 100), (4, 140), (5, 180)]
    unfaulted(plane)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"tier": "on-demand", "max_price": "1"}, "max_price"),
        ({"tier": "spot", "max_price": "NaN"}, "max_price"),
        ({"tier": "spot", "max_price": "-0.01"}, "max_price"),
        ({"tier": "spot", "max_price": "0.0000001"}, "max_price"),
    ],
)
def test_a_limit_that_cannot_be_is_refused(plane: Plane, wrong: dict[str, str], field: str) -> None:
    plane.publish(book())
    with pytest.raises(ValidationError) as refused:
        plane.submit("wrong", **wrong)
    assert refused.value.field == field


def test_the_auditor_finds_a_price_that_does_not_follow(plane: Plane) -> None:
    plane.publish(book())
    plane.step()
    with plane.context.store.write() as tx:
        tx.prices.post(
            SpotPrice(
                currency="CNY",
                type="cpu",
                hour_ms=BEGIN_MS + 2 * HOUR_MS,
                price_micros=990_000,
                before_micros=600_000,
                held_ams=0,
                capacity_ams=8 * HOUR_MS,
                book="spot-1",
                posted_ms=BEGIN_MS + HOUR_MS,
            )
        )
    with plane.context.store.read() as tx:
        faults = [check.detail for check in audit(tx) if not check.ok]
    assert len(faults) == 1
    assert "is 990000, by its rule 500000" in faults[0]
    assert "has no event" in faults[0]


def test_a_tenant_sees_the_prices_of_its_currency(plane: Plane) -> None:
    plane.publish(book())
    plane.publish(book("usd-1").replace("CNY", "USD").replace(to_iso(BEGIN_MS), to_iso(BEGIN_MS + MINUTE_MS)))
    plane.advance(HOUR_MS)
    member = Caller(key="k", user="ann", role=Role.MEMBER, tenant="acme")
    seen = history(plane.context, member, currency="USD", type_name=None, hours=24)
    assert {one.currency for one in seen} == {"CNY"}
    both = history(plane.context, OPERATOR, currency=None, type_name="cpu", hours=24)
    assert {one.currency for one in both} == {"CNY", "USD"}


def test_a_quote_has_the_last_posted_price(plane: Plane) -> None:
    plane.publish(book())
    plane.topup("100")
    request = QuoteRequest(tenant="acme", hours=10.0, types=("cpu",), tier="spot")

    def quoted() -> int | None:
        (line,) = make_quote(plane.context, OPERATOR, request).lines
        return {price.tier: price.price_micros for price in line.prices}.get(Tier.SPOT)

    plane.context.live.refresh(plane.context.store, plane.context.settings)
    assert quoted() == 1_000_000
    plane.submit("full", accelerators_per_node=8, tier="spot")
    plane.step()
    plane.advance(HOUR_MS, by_ms=10 * MINUTE_MS)
    assert quoted() == 1_400_000
