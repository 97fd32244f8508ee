"""Whatever is posted, debits equal credits; and an invoice's lines sum to what was posted."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from petahour.billing.invoice import make_invoice
from petahour.billing.ledger import apply_all, check_double_entry, hold, post_charge, replay, reversal, topup, void
from petahour.billing.rate import rate
from petahour.model.allocations import Allocation, AllocationState
from petahour.model.jobs import Tier
from petahour.model.money import Money
from petahour.model.resources import Slot
from petahour.model.tenants import Tenant
from petahour.model.time import HOUR_MS, month_bounds
from petahour.model.usage import Charge, Transfer, TransferKind, UsageRecord

MARCH, APRIL = month_bounds("2026-03")
TENANTS = {"acme": "CNY", "bolt": "USD"}


def used(draw: st.DrawFn, number: int, tenant: str) -> UsageRecord:
    hour_ms = draw(st.sampled_from([MARCH - HOUR_MS, MARCH, MARCH + 9 * HOUR_MS, APRIL - HOUR_MS, APRIL]))
    length_ms = draw(st.integers(1, HOUR_MS))
    billed = draw(st.booleans())
    return UsageRecord(
        id=f"use-alc-{number}-{hour_ms}",
        allocation=f"alc-{number}",
        job="job",
        tenant=tenant,
        project=draw(st.sampled_from(["llm", "vision"])),
        type=draw(st.sampled_from(["cpu", "h20"])),
        tier=draw(st.sampled_from(list(Tier))),
        rehearsal=draw(st.booleans()),
        hour_ms=hour_ms,
        start_ms=hour_ms,
        end_ms=hour_ms + length_ms,
        accelerators=3,
        billed_ams=3 * length_ms if billed else 0,
        waived_ams=0 if billed else 3 * length_ms,
    )


def held_for(record: UsageRecord, currency: str) -> Allocation:
    return Allocation(
        id=record.allocation,
        job=record.job,
        tenant=record.tenant,
        project=record.project,
        attempt=1,
        type=record.type,
        tier=record.tier,
        engine="local",
        slots=(Slot(node="n1", indexes=(0, 1, 2)),),
        rehearsal=record.rehearsal,
        borrowed=False,
        price_book="b",
        price_micros=1,
        currency=currency,
        state=AllocationState.STARTING,
        placed_ms=record.start_ms,
    )


@st.composite
def ledgers(draw: st.DrawFn) -> tuple[list[UsageRecord], list[Charge], list[Transfer]]:
    """Two tenants who buy, hold, use, give back and take back, in a random order."""
    records: list[UsageRecord] = []
    charges: list[Charge] = []
    transfers: list[Transfer] = []
    holds: list[Transfer] = []
    times = st.integers(MARCH - 2 * HOUR_MS, APRIL + 2 * HOUR_MS)
    reversed_ids: set[str] = set()
    for number in range(draw(st.integers(0, 15))):
        tenant = draw(st.sampled_from(sorted(TENANTS)))
        currency, at_ms = TENANTS[tenant], draw(times)
        action = draw(st.sampled_from(["topup", "charge", "hold", "void", "reverse"]))
        if action == "topup":
            money = Money(draw(st.integers(1, 10**12)), currency)
            transfers.append(topup(tenant=tenant, money=money, key=f"k{number}", at_ms=at_ms))
        elif action == "charge":
            record = used(draw, number, tenant)
            price_micros = draw(st.integers(0, 10**9))
            records.append(record)
            charges.append(rate(record, price_book="b", price_micros=price_micros, currency=currency))
            transfers.append(post_charge(charges[-1], at_ms=at_ms))
        elif action == "hold":
            wanted = held_for(used(draw, number, tenant), currency)
            holds.append(hold(wanted, number=0, amount_micros=draw(st.integers(0, 10**9)), at_ms=at_ms))
            transfers.append(holds[-1])
        elif action == "void" and holds:
            transfers.append(void(holds.pop(), at_ms=at_ms))
        elif action == "reverse":
            kinds = (TransferKind.CHARGE, TransferKind.TOPUP, TransferKind.REVERSAL)
            left = [one for one in transfers if one.kind in kinds and one.id not in reversed_ids]
            if left:
                taken = draw(st.sampled_from(left))
                reversed_ids.add(taken.id)
                transfers.append(reversal(taken, at_ms=at_ms, note="test"))
    return records, charges, transfers


Ledger = tuple[list[UsageRecord], list[Charge], list[Transfer]]


@given(ledgers())
def test_debits_equal_credits_after_every_transfer(made: Ledger) -> None:
    transfers = made[2]
    for count in range(len(transfers) + 1):
        balances = replay(transfers[:count])
        check_double_entry(balances.values())
        for balance in balances.values():
            assert min(balance.pending_debits_micros, balance.pending_credits_micros) >= 0


@given(ledgers())
def test_lines_sum_to_the_ledger(made: Ledger) -> None:
    records, charges, transfers = made
    for name, currency in TENANTS.items():
        months = [
            make_invoice(
                tenant=Tenant(name=name, title=name, currency=currency, created_ms=0),
                month=month,
                charges=[one for one in charges if one.tenant == name],
                usage=records,
                transfers=transfers,
                generated_ms=APRIL + 60 * 24 * HOUR_MS,
            )
            for month in ("2026-02", "2026-03", "2026-04")
        ]
        for invoice in months:
            assert invoice.total_micros == sum(line.amount_micros for line in invoice.lines)
            came = invoice.topups_micros + invoice.settled_micros
            assert invoice.closing_micros == invoice.opening_micros + came - invoice.total_micros
        for before, after in pairwise(months):
            assert before.closing_micros == after.opening_micros
        balance = replay(transfers).get(f"prepaid:{name}:{currency}")
        assert months[-1].closing_micros == (balance.posted_micros if balance else 0)
        assert months[-1].held_micros == (balance.pending_debits_micros if balance else 0)
        rehearsed = replay(transfers).get(f"rehearsal-use:{name}:{currency}")
        total = sum(invoice.rehearsal_total_micros for invoice in months)
        assert total == (-rehearsed.posted_micros if rehearsed else 0)


@given(ledgers())
def test_many_at_once_come_to_what_they_do_one_by_one(
    made: tuple[list[UsageRecord], list[Charge], list[Transfer]],
) -> None:
    transfers = made[2]
    half = len(transfers) // 2
    seen = {transfer.id: transfer for transfer in transfers[:half]}
    before = apply_all({}, transfers[:half], {})
    after = before | apply_all(before, transfers[half:], seen)
    assert after == replay(transfers)
