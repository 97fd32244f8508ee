"""A renewed reservation and its lent seats over the turn of two months, in currencies of 0, 2 and 3 decimals."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from tests.property.control.floor import OPERATOR, PRICES, HandPlane

from petahour.billing.commitments import cost_of
from petahour.control.billing_terms import set_seller, set_terms
from petahour.control.credit import add_credit
from petahour.control.month_close import close_month
from petahour.control.prices import PriceBooks
from petahour.control.publish import publish
from petahour.control.reservations import Wish, reservation_for, reserve
from petahour.control.statements import invoice_for
from petahour.control.step import Reconciler
from petahour.control.tenants import create_tenant
from petahour.model.invoices import BillingTerms, InvoiceDocument, LineKind, Party, Seller
from petahour.model.money import MINOR_DIGITS
from petahour.model.time import DAY_MS, HOUR_MS, MINUTE_MS, month_bounds, month_of, to_iso
from petahour.model.usage import Transfer, TransferKind

# Prices of which neither an hour nor a share of it is a whole number of minor units.
PRICED = [("JPY", "0.7", "0.3"), ("CNY", "0.007", "0.003"), ("USD", "0.007", "0.003"), ("KWD", "0.0007", "0.0003")]


@pytest.mark.parametrize(("currency", "reserved", "spot"), PRICED)
def test_every_hour_and_share_is_on_the_invoice_of_its_month(
    tmp_path: Path, currency: str, reserved: str, spot: str
) -> None:
    plane = sold_in(tmp_path, currency, reserved, spot)
    made = reserve(
        plane.context, OPERATOR, Wish(tenant="own", type="cpu", count=4, months=1, lends=True, renews=True)
    )
    reserve(plane.context, OPERATOR, Wish(tenant="rest", type="cpu", count=4, months=2))
    first, second = month_of(made.from_ms), month_of(made.to_ms)
    turn_ms = month_bounds(second)[1]
    assert made.to_ms < turn_ms
    day_by_day(plane, turn_ms - DAY_MS - 17 * MINUTE_MS)
    renewed = reservation_for(plane.context, OPERATOR, made.id)
    assert renewed.to_ms > turn_ms
    plane.submit("use", tier="spot", accelerators_per_node=3, run_ms=2 * DAY_MS)
    plane.step(1)
    day_by_day(plane, turn_ms + DAY_MS)
    plane.step(MINUTE_MS)

    issued = [one for month in (first, second) for one in closed(plane, month)]
    unit = 10 ** (6 - MINOR_DIGITS[currency])
    for document in issued:
        assert not any(line.amount_micros % unit for line in document.lines)
        assert document.net_micros == sum(line.amount_micros for line in document.lines)
        assert 2 * abs(document.net_micros - document.exact_micros) <= unit
        assert document.tax_micros % unit == 0
        assert document.due_micros == 0
    # Every hour once, without a gap where the first month of the reservation or one of the calendar ends.
    hours = paid(plane, TransferKind.FEE)
    assert len(hours) > 24 * 29
    starts = [int(one.cause.partition("@")[2]) for one in hours]
    assert starts[0] == made.from_ms
    assert all(later - before == HOUR_MS for before, later in pairwise(starts[1:]))
    assert {made.to_ms, turn_ms - HOUR_MS, turn_ms} <= set(starts)
    for one, start_ms in zip(hours, starts, strict=True):
        end_ms = start_ms - start_ms % HOUR_MS + HOUR_MS
        assert one.amount_micros == cost_of(renewed, start_ms, end_ms)
        assert start_ms <= one.at_ms < end_ms
    shares = paid(plane, TransferKind.LENT_SHARE)
    assert min(one.at_ms for one in shares) < turn_ms <= max(one.at_ms for one in shares)
    of_own = {one.month: one for one in issued if one.tenant == "own"}
    for month in (first, second):
        from_ms, to_ms = month_bounds(month)
        for kind, made_of, sign in ((LineKind.FEE, hours, 1), (LineKind.LENT_SHARE, shares, -1)):
            exact = sum(line.exact_micros for line in of_own[month].lines if line.kind is kind)
            assert exact == sign * sum(one.amount_micros for one in made_of if from_ms <= one.at_ms < to_ms)
    preview = invoice_for(plane.context, OPERATOR, "own", month_of(turn_ms))
    later = [*hours, *shares]
    assert preview.total_micros == sum(
        one.amount_micros if one in hours else -one.amount_micros for one in later if one.at_ms >= turn_ms
    )
    plane.close()


def sold_in(folder: Path, currency: str, reserved: str, spot: str) -> HandPlane:
    """A floor with a book, three tenants and a seller of one currency."""
    plane = HandPlane(folder)
    plane.context = replace(plane.context, prices=PriceBooks(PRICES.books))
    plane.reconciler = Reconciler(plane.context)
    text = (
        f'[[price_book]]\nid = "turn"\ncurrency = "{currency}"\neffective = {to_iso(plane.clock.at_ms + 1)}\n'
        f'lent_share = 33.3333\nprices.cpu = {{ on-demand = "1", spot = "{spot}", reserved = "{reserved}" }}\n'
    )
    publish(plane.context, OPERATOR, text)
    plane.step(MINUTE_MS)
    set_seller(plane.context, OPERATOR, Seller(party=Party(name="Centre")))
    for tenant in ("own", "use", "rest"):
        create_tenant(plane.context, OPERATOR, name=tenant, title="", currency=currency)
        add_credit(plane.context, OPERATOR, tenant, amount="90000", currency=currency, key="k", note="")
        set_terms(
            plane.context, OPERATOR, BillingTerms(tenant=tenant, party=Party(name=tenant), tax_rate_ppm=130_000)
        )
    return plane


def day_by_day(plane: HandPlane, until_ms: int) -> None:
    while plane.clock.at_ms < until_ms:
        plane.step(min(DAY_MS, until_ms - plane.clock.at_ms))


def closed(plane: HandPlane, month: str) -> list[InvoiceDocument]:
    return [one.document for one in close_month(plane.context, OPERATOR, month) if one.document is not None]


def paid(plane: HandPlane, kind: TransferKind) -> list[Transfer]:
    """The owner's transfers of a kind, by time."""
    with plane.store.read() as tx:
        found = [one for one in tx.ledger.transfers() if one.kind is kind]
    return sorted((one for one in found if ":own:" in one.debit + one.credit), key=lambda one: one.at_ms)
