"""One month worked by hand, from allocations to the invoice's text.

Acme, in CNY. Before March: 1,000.00 bought on 27 February, and one hour of 8 A100 spot at 5.60:

    8 x 1 h x 5.60                                              =    44.80       credit before   955.20

March 2026:

    1  8 A100 on demand at 14.00, placed 5 March 10:59:30, started 11:00:00, ended 12:30:00
         10:59:30-11:00:00  waived: 8 x 30 s = 240 s                             0.066667 accelerator-hours
         11:00-12:00        8.0 h x 14.00                       =   112.00
         12:00-12:30        4.0 h x 14.00                       =    56.00
    2  that half hour is taken back on 6 March                  =  - 56.00
    3  1 A100 on demand at 14.00 for one millisecond
         14,000,000 micros / 3,600,000 = 3.89, rounded 4        =     0.000004
    4  2 Ascend 910B3 spot at 3.60, started 31 March 23:59:59, ended 1 April 00:20:00
         in March 2 x 1 s = 2 s = 0.000556 h;  7.20 / 3,600     =     0.002
         7.20 of credit is held for it when March ends
    5  rehearsal: 4 MTT S4000 at 5.00 for 15 minutes: 1.0 h     =     5.00, not payable
    6  bought on 10 March                                       =   500.00

    line llm, A100, on demand: 1 + 3, 12 h and 1 ms             =   168.000004
    line vision, Ascend, spot: 4                                =     0.002
    line correction: 2                                          =  - 56.00
    total                                                       =   112.002004
    credit after: 955.20 + 500.00 - 112.002004                  = 1,343.197996
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from petahour.billing.invoice import make_invoice, render_text
from petahour.billing.ledger import charge_transfer_id, check_double_entry, hold, post_charge, replay, reversal, topup
from petahour.billing.meter import meter
from petahour.billing.rate import rate
from petahour.model.allocations import Allocation, AllocationState, EndKind
from petahour.model.jobs import Tier
from petahour.model.money import Money
from petahour.model.resources import Slot
from petahour.model.tenants import Tenant
from petahour.model.time import to_ms
from petahour.model.usage import Charge, Transfer, UsageRecord

GOLDEN = Path(__file__).parent / "invoice_acme_2026_03.txt"


def at(month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> int:
    return to_ms(datetime(2026, month, day, hour, minute, second, tzinfo=UTC))


def allocation(
    name: str,
    project: str,
    type_name: str,
    tier: Tier,
    count: int,
    price: str,
    *times_ms: int,
    rehearsal: bool = False,
) -> Allocation:
    placed_ms, started_ms, ended_ms = times_ms
    return Allocation(
        id=name,
        job=f"job-{name}",
        tenant="acme",
        project=project,
        attempt=1,
        type=type_name,
        tier=tier,
        engine="local",
        slots=(Slot(node="n1", indexes=tuple(range(count))),),
        rehearsal=rehearsal,
        borrowed=False,
        price_book="cny-2026",
        price_micros=Money.parse(price, "CNY").micros,
        currency="CNY",
        state=AllocationState.ENDED,
        placed_ms=placed_ms,
        started_ms=started_ms,
        ended_ms=ended_ms,
        end_kind=EndKind.SUCCEEDED,
    )


ALLOCATIONS = (
    allocation("a0", "llm", "a100-80g-sxm", Tier.SPOT, 8, "5.60", at(2, 28, 9), at(2, 28, 9), at(2, 28, 10)),
    allocation(
        "a1", "llm", "a100-80g-sxm", Tier.ON_DEMAND, 8, "14.00", at(3, 5, 10, 59, 30), at(3, 5, 11), at(3, 5, 12, 30)
    ),
    allocation("a3", "llm", "a100-80g-sxm", Tier.ON_DEMAND, 1, "14.00", at(3, 20, 8), at(3, 20, 8), at(3, 20, 8) + 1),
    allocation(
        "a4",
        "vision",
        "ascend-910b3",
        Tier.SPOT,
        2,
        "3.60",
        at(3, 31, 23, 59, 59),
        at(3, 31, 23, 59, 59),
        at(4, 1, 0, 20),
    ),
    allocation(
        "a5", "llm", "mtt-s4000", Tier.ON_DEMAND, 4, "5.00", at(3, 9, 7), at(3, 9, 7), at(3, 9, 7, 15), rehearsal=True
    ),
)


def worked() -> tuple[list[UsageRecord], list[Charge], list[Transfer]]:
    records: list[UsageRecord] = []
    charges: list[Charge] = []
    transfers = [
        topup(tenant="acme", money=Money.parse("1000", "CNY"), key="wire-1", at_ms=at(2, 27)),
        topup(tenant="acme", money=Money.parse("500", "CNY"), key="wire-2", at_ms=at(3, 10)),
        hold(ALLOCATIONS[3], number=0, amount_micros=7_200_000, at_ms=at(3, 31, 23, 59, 59)),
    ]
    for one in ALLOCATIONS:
        for record in meter(one, until_ms=at(5, 1)):
            charge = rate(record, price_book=one.price_book, price_micros=one.price_micros, currency="CNY")
            records.append(record)
            charges.append(charge)
            transfers.append(post_charge(charge, at_ms=record.end_ms + 30_000))
    half_hour = next(one for one in charges if one.hour_ms == at(3, 5, 12))
    posted = next(one for one in transfers if one.id == charge_transfer_id(half_hour))
    transfers.append(reversal(posted, at_ms=at(3, 6), note="switch fault, agreed with the tenant"))
    return records, charges, transfers


def test_the_worked_month() -> None:
    records, charges, transfers = worked()
    invoice = make_invoice(
        tenant=Tenant(name="acme", title="Acme AI Ltd", currency="CNY", created_ms=0),
        month="2026-03",
        charges=charges,
        usage=records,
        transfers=transfers,
        generated_ms=at(4, 1, 6),
    )
    assert invoice.total_micros == 112_002_004
    assert invoice.closing_micros == 1_343_197_996
    check_double_entry(replay(transfers).values())
    assert render_text(invoice) == GOLDEN.read_text("utf-8")
