"""Invoices: lines, charges and ledger say the same, or there is no invoice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from petahour.billing.invoice import Invoice, make_invoice, render_text, to_json
from petahour.billing.ledger import post_charge, reversal, topup
from petahour.billing.rate import rate
from petahour.model.errors import InvariantError, ValidationError
from petahour.model.jobs import Tier
from petahour.model.money import Money
from petahour.model.tenants import Tenant
from petahour.model.time import HOUR_MS, month_bounds
from petahour.model.usage import Charge, Transfer, TransferKind, UsageRecord

MARCH, APRIL = month_bounds("2026-03")
TENANT = Tenant(name="acme", title="Acme AI", currency="USD", created_ms=0)


def record(number: int, hour_ms: int, *, rehearsal: bool = False, billed: bool = True) -> UsageRecord:
    """One accelerator for a whole hour."""
    return UsageRecord(
        id=f"use-alc-{number}-{hour_ms}",
        allocation=f"alc-{number}",
        job="job",
        tenant="acme",
        project="llm",
        type="cpu",
        tier=Tier.SPOT,
        rehearsal=rehearsal,
        hour_ms=hour_ms,
        start_ms=hour_ms,
        end_ms=hour_ms + HOUR_MS,
        accelerators=1,
        billed_ams=HOUR_MS if billed else 0,
        waived_ams=0 if billed else HOUR_MS,
    )


RECORDS = (
    record(1, MARCH - HOUR_MS),
    record(2, MARCH),
    record(3, APRIL - HOUR_MS),
    record(4, APRIL),
    record(5, MARCH, rehearsal=True),
    record(6, MARCH, billed=False),
)


def charged(price_micros: int = 2_000_000) -> list[Charge]:
    return [rate(one, price_book="b", price_micros=price_micros, currency="USD") for one in RECORDS]


def ledger(charges: Sequence[Charge]) -> list[Transfer]:
    """Two top-ups, and all charges posted in the middle of April."""
    bought = [
        topup(tenant="acme", money=Money(10_000_000, "USD"), key="old", at_ms=MARCH - 1),
        topup(tenant="acme", money=Money(5_000_000, "USD"), key="new", at_ms=MARCH),
    ]
    return bought + [post_charge(one, at_ms=APRIL + 15 * 24 * HOUR_MS) for one in charges]


def make(
    charges: Sequence[Charge],
    transfers: Sequence[Transfer],
    *,
    usage: Sequence[UsageRecord] = RECORDS,
    generated_ms: int = APRIL,
    month: str = "2026-03",
) -> Invoice:
    return make_invoice(
        tenant=TENANT, month=month, charges=charges, usage=usage, transfers=transfers, generated_ms=generated_ms
    )


def test_a_month_holds_the_hours_used_in_it_whenever_they_were_posted() -> None:
    invoice = make(charged(), ledger(charged()))
    assert [(line.accelerator_ms, line.amount_micros) for line in invoice.lines] == [(2 * HOUR_MS, 4_000_000)]
    assert invoice.total_micros == 4_000_000
    assert (invoice.opening_micros, invoice.topups_micros, invoice.closing_micros) == (
        8_000_000,
        5_000_000,
        9_000_000,
    )
    assert invoice.waived_ams == HOUR_MS
    april = make(charged(), ledger(charged()), month="2026-04")
    assert (april.opening_micros, april.total_micros, april.closing_micros) == (9_000_000, 2_000_000, 7_000_000)
    assert not april.closed
    assert invoice.closed


def test_rehearsal_is_apart() -> None:
    invoice = make(charged(), ledger(charged()))
    assert [line.amount_micros for line in invoice.rehearsal_lines] == [2_000_000]
    assert invoice.rehearsal_total_micros == 2_000_000
    assert "REHEARSAL - NOT PAYABLE" in render_text(invoice)
    plain = [one for one in charged() if not one.rehearsal]
    assert "REHEARSAL" not in render_text(make(plain, ledger(plain)))


def test_a_correction_is_a_line_of_the_month_it_is_made_in() -> None:
    charges = charged()
    transfers = ledger(charges)
    posted = next(one for one in transfers if one.id == f"trf-{charges[0].id}")
    back = reversal(posted, at_ms=MARCH + 5, note="node\nfault")
    invoice = make(charges, [*transfers, back])
    assert [line.amount_micros for line in invoice.lines] == [4_000_000, -2_000_000]
    assert invoice.lines[1].note == f"{posted.id} reversed: node fault"
    assert (invoice.lines[1].type, invoice.lines[1].tier) == ("cpu", "spot")
    assert (invoice.total_micros, invoice.closing_micros) == (2_000_000, 11_000_000)
    again = reversal(back, at_ms=MARCH + 6, note="after all")
    assert make(charges, [*transfers, back, again]).total_micros == 4_000_000


def test_a_top_up_taken_back_is_no_line() -> None:
    transfers = ledger(charged())
    invoice = make(charged(), [*transfers, reversal(transfers[1], at_ms=MARCH + 5, note="bounced")])
    assert (invoice.topups_micros, invoice.total_micros) == (0, 4_000_000)


def test_a_charge_of_zero_needs_no_transfer() -> None:
    charges = charged(price_micros=0)
    assert make(charges, ledger([])).lines[0].accelerator_ms == 2 * HOUR_MS
    assert make(charges, ledger(charges)).total_micros == 0


def test_an_empty_month() -> None:
    invoice = make([], [])
    assert (invoice.lines, invoice.total_micros, invoice.closing_micros) == ((), 0, 0)
    assert "(no use in this period)" in render_text(invoice)


def test_prices_that_changed_show_their_range() -> None:
    dearer = rate(RECORDS[2], price_book="b2", price_micros=3_000_000, currency="USD")
    charges = [one if one.id != dearer.id else dearer for one in charged()]
    invoice = make(charges, ledger(charges))
    assert (invoice.lines[0].price_min_micros, invoice.lines[0].price_max_micros) == (2_000_000, 3_000_000)
    assert "2.00 to 3.00" in render_text(invoice)


def test_a_month_that_has_not_begun_is_refused() -> None:
    with pytest.raises(ValidationError):
        make([], [], generated_ms=MARCH - 1)
    with pytest.raises(ValidationError):
        make([], [], month="2026-13")


def odd_ledgers() -> list[tuple[list[Charge], list[Transfer], tuple[UsageRecord, ...]]]:
    charges = charged()
    transfers = ledger(charges)
    march = next(one for one in transfers if one.id == f"trf-{charges[1].id}")
    rest = [one for one in transfers if one is not march]
    return [
        (charges, rest, RECORDS),
        (charges, [*rest, replace(march, amount_micros=1)], RECORDS),
        (charges, [*rest, replace(march, debit=march.credit, credit=march.debit)], RECORDS),
        (charges, [*rest, replace(march, kind=TransferKind.POST)], RECORDS),
        (charges, [*rest, replace(march, currency="CNY")], RECORDS),
        (charges, [*transfers, replace(march, id="trf-chg-ghost")], RECORDS),
        ([one for one in charges if one is not charges[1]], transfers, RECORDS),
        ([*charges, charges[1]], transfers, RECORDS),
        (charges, transfers, RECORDS[2:]),
        ([replace(one, tenant="other") for one in charges], transfers, RECORDS),
        ([replace(one, currency="CNY") for one in charges], transfers, RECORDS),
        ([replace(one, amount_micros=one.amount_micros + 1) for one in charges], transfers, RECORDS),
    ]


@pytest.mark.parametrize(("charges", "transfers", "usage"), odd_ledgers())
def test_what_does_not_agree_is_no_invoice(
    charges: list[Charge], transfers: list[Transfer], usage: tuple[UsageRecord, ...]
) -> None:
    with pytest.raises(InvariantError):
        make(charges, transfers, usage=usage)


def test_a_title_cannot_draw_lines_of_its_own() -> None:
    invoice = replace(make([], []), title="Acme\nTotal USD   0.00\x1b[2J")
    text = render_text(invoice)
    assert "Tenant    Acme Total USD 0.00 [2J (acme)" in text.splitlines()


def test_as_json() -> None:
    values = json.loads(json.dumps(to_json(make(charged(), ledger(charged())))))
    assert (values["number"], values["tenant"], values["currency"]) == ("PH-2026-03-acme", "acme", "USD")
    assert (values["status"], values["from"]) == ("over", "2026-03-01T00:00:00.000Z")
    assert values["total_micros"] == sum(line["amount_micros"] for line in values["lines"]) == 4_000_000
    assert values["rehearsal_note"] == "REHEARSAL - NOT PAYABLE"
