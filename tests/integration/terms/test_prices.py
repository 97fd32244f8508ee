"""Price books in use: published, refused, kept by what runs, and followed by what comes after."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.integration.terms.conftest import BEGIN_MS
from tests.integration.terms.plane import FINANCE, OPERATOR, Plane

from petahour.control.audit import audit
from petahour.control.publish import prices_at, publish, published_books, reload_books
from petahour.model.allocations import EndKind
from petahour.model.errors import ConflictError, ForbiddenError, NotFoundError, ValidationError
from petahour.model.jobs import Tier
from petahour.model.tenants import Caller, Role
from petahour.model.time import HOUR_MS, MINUTE_MS, to_iso

MEMBER = Caller(key="k", user="ann", role=Role.MEMBER, tenant="acme")


def book(name: str, from_ms: int, price: str, rest: str = "") -> str:
    head = f'[[price_book]]\nid = "{name}"\ncurrency = "CNY"\neffective = {to_iso(from_ms)}\n'
    return head + f"prices.cpu.on-demand = {price}\n{rest}\n"


def unfaulted(plane: Plane) -> None:
    with plane.context.store.read() as tx:
        assert [check for check in audit(tx) if not check.ok] == []


def test_a_job_keeps_its_book_until_its_walltime_ends(plane: Plane) -> None:
    plane.publish(book("may-1", BEGIN_MS, '"1.00"'))
    plane.topup("100")
    kept = plane.submit("kept", walltime="3h")
    follows = plane.submit("follows")
    plane.step()
    plane.publish(book("may-2", BEGIN_MS + 90 * MINUTE_MS, '"2.00"'))
    plane.advance(4 * HOUR_MS, by_ms=HOUR_MS)
    for name in list(plane.engine.running):
        plane.engine.end(name)
    plane.step()
    with plane.context.store.read() as tx:
        of_job = {record.id: record.job for record in tx.ledger.usage(tenant="acme", from_ms=0, to_ms=2**62)}
    priced = {
        name: [(one.price_book, one.price_micros) for one in plane.charges() if of_job[one.usage] == job.id]
        for name, job in (("kept", kept), ("follows", follows))
    }
    # The hand engine ends nothing at the walltime: what runs beyond it is no longer promised a price.
    assert priced["kept"] == [("may-1", 1_000_000)] * 4
    assert priced["follows"] == [("may-1", 1_000_000)] * 2 + [("may-2", 2_000_000)] * 2
    unfaulted(plane)


def test_a_job_placed_again_keeps_what_is_left_of_its_promise(plane: Plane) -> None:
    plane.publish(book("may-1", BEGIN_MS, '"1.00"'))
    plane.topup("100")
    job = plane.submit("again", walltime="3h", retries=1)
    plane.step()
    plane.publish(book("may-2", BEGIN_MS + HOUR_MS, '"2.00"'))
    plane.advance(2 * HOUR_MS, by_ms=HOUR_MS)
    first = next(iter(plane.engine.running))
    plane.engine.end(first, EndKind.FAILED)
    plane.step()
    with plane.context.store.read() as tx:
        again = tx.allocations.latest([job.id])[job.id]
    assert (again.attempt, again.price_book, again.price_micros) == (2, "may-1", 1_000_000)
    assert again.price_for_ms == HOUR_MS
    unfaulted(plane)


def test_a_book_that_is_known_and_not_in_force_yet_takes_effect_on_what_runs(plane: Plane) -> None:
    plane.publish(book("may-1", BEGIN_MS, '"1.00"') + book("may-2", BEGIN_MS + HOUR_MS, '"2.00"'))
    plane.topup("100")
    plane.submit("open")
    plane.step()
    plane.advance(3 * HOUR_MS, by_ms=HOUR_MS)
    assert [one.price_book for one in plane.charges()] == ["may-1", "may-2", "may-2"]
    unfaulted(plane)


def test_hours_of_the_week_and_holds(plane: Plane) -> None:
    windows = '{ price = "1.00", hours = [{ days = "wed", from = 9, to = 10, price = "3.00" }] }'
    plane.publish(book("peak", BEGIN_MS, windows, 'utc_offset = "+08:00"'))
    plane.topup("3.5")
    plane.submit("long", walltime="5h")
    plane.advance(30 * MINUTE_MS)
    # Half an hour at 08:00 in Beijing and half an hour of the dear hour after it are held before it starts.
    with plane.context.store.read() as tx:
        held = tx.ledger.balance("prepaid:acme:CNY", "CNY").pending_debits_micros
    assert held == 500_000 + 1_500_000
    plane.topup("3", key="pay-2")
    plane.advance(30 * MINUTE_MS)
    plane.advance(3 * HOUR_MS, by_ms=HOUR_MS)
    assert [one.amount_micros for one in plane.charges()] == [500_000, 3_000_000, 1_000_000, 1_000_000]
    unfaulted(plane)


def test_volume_bands_cut_the_record_where_they_begin(plane: Plane) -> None:
    banded = '{ price = "1.00", bands = [{ from_hours = 3, percent = 10 }, { from_hours = 6, percent = 50 }] }'
    plane.publish(book("banded", BEGIN_MS, banded))
    plane.topup("100")
    plane.submit("wide", accelerators_per_node=2, walltime="10h")
    plane.step()
    plane.advance(4 * HOUR_MS, by_ms=HOUR_MS)
    volume: Counter[int] = Counter()
    with plane.context.store.read() as tx:
        records = {record.id: record for record in tx.ledger.usage(tenant="acme", from_ms=0, to_ms=2**62)}
    for charge in plane.charges():
        volume[charge.price_micros] += records[charge.usage].billed_ams
    assert volume == {1_000_000: 3 * HOUR_MS, 900_000: 3 * HOUR_MS, 500_000: 2 * HOUR_MS}
    assert sum(one.amount_micros for one in plane.charges()) == 3_000_000 + 2_700_000 + 1_000_000
    unfaulted(plane)


def test_tenant_terms_and_what_a_tenant_sees_of_them(plane: Plane) -> None:
    own = '[[price_book.override]]\ntenant = "acme"\ntype = "cpu"\ntier = "spot"\nprice = "0.01"\n'
    less = '[[price_book.discount]]\ntenant = "acme"\npercent = "7.5"\n'
    plane.publish(book("own", BEGIN_MS, '"1.00"', own + less))
    mine = prices_at(plane.context, MEMBER)
    assert {(row.tier, row.micros) for row in mine.rows} == {(Tier.ON_DEMAND, 925_000), (Tier.SPOT, 10_000)}
    listed = prices_at(plane.context, OPERATOR, currency="CNY")
    assert {(row.tier, row.micros) for row in listed.rows} == {(Tier.ON_DEMAND, 1_000_000)}
    with pytest.raises(NotFoundError):
        prices_at(plane.context, MEMBER, tenant="beta")


def test_publishing_is_whole_repeatable_and_refused_by_rule(plane: Plane) -> None:
    text = book("a", BEGIN_MS, '"1.00"') + book("b", BEGIN_MS + HOUR_MS, '"2.00"')
    publish(plane.context, FINANCE, text)
    publish(plane.context, FINANCE, text)
    names = [one.book.id for one in published_books(plane.context, OPERATOR) if one.published_by == "fin"]
    assert names == ["a", "b"]
    before = published_books(plane.context, OPERATOR)
    with pytest.raises(ConflictError):
        plane.publish(book("b", BEGIN_MS + HOUR_MS, '"2.50"'))
    late = book("c", BEGIN_MS - 1, '"1"')
    twin = book("c", BEGIN_MS + HOUR_MS, '"1"')
    gap = book("c", BEGIN_MS + 2 * HOUR_MS, '"1"', f"until = {to_iso(BEGIN_MS + 3 * HOUR_MS)}")
    gap += book("d", BEGIN_MS + 4 * HOUR_MS, '"1"')
    stranger = '[[price_book.discount]]\ntenant = "nobody"\npercent = 5\n'
    for text, field in (
        (late, "price_book.effective"),
        (twin, "price_book.effective"),
        (gap, "price_book.until"),
        (book("c", BEGIN_MS + 2 * HOUR_MS, '"1"', stranger), "price_book.c"),
    ):
        with pytest.raises(ValidationError) as caught:
            plane.publish(text)
        assert caught.value.field == field
        assert caught.value.remedy
    with pytest.raises(ForbiddenError):
        publish(plane.context, MEMBER, text)
    reload_books(plane.context)
    assert published_books(plane.context, OPERATOR) == before
