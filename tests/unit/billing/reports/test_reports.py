"""Reports from sums worked by hand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from tests.unit.documents.test_invoice_page import DOCUMENT

from petahour.billing.conservation import Conservation
from petahour.billing.reports.kept import Kept
from petahour.billing.reports.margin import Costs, Fleet, margin
from petahour.billing.reports.occupancy import occupancy
from petahour.billing.reports.receivables import receivables
from petahour.billing.reports.revenue import Earned, revenue
from petahour.billing.reports.runway import Burn, runway
from petahour.billing.tally import Cell, Sums
from petahour.model.errors import InvariantError
from petahour.model.jobs import Tier
from petahour.model.time import DAY_MS, HOUR_MS
from petahour.model.usage import UsageRecord

A100 = Earned(currency="CNY", type="a100", tier="spot", accelerator_ms=10 * HOUR_MS, revenue_micros=75_000_000)
T4 = replace(A100, type="t4", accelerator_ms=0, revenue_micros=25_000_000)


def test_revenue_has_shares_and_prices_within_its_currency() -> None:
    found = revenue([T4, A100, replace(A100, currency="USD")], "2026-03")
    assert found.rows == (
        ("CNY", "a100", "spot", 10 * HOUR_MS, 75_000_000, 7_500_000, 750_000),
        ("CNY", "t4", "spot", 0, 25_000_000, None, 250_000),
        ("USD", "a100", "spot", 10 * HOUR_MS, 75_000_000, 7_500_000, 1_000_000),
        ("CNY", "all", "", 10 * HOUR_MS, 100_000_000, 10_000_000, 1_000_000),
        ("USD", "all", "", 10 * HOUR_MS, 75_000_000, 7_500_000, 1_000_000),
    )


SUMS = Sums(billed_ams=60, waived_ams=5, open_ams=5, idle_ams=20, down_ams=10, capacity_ams=100)
USAGE = UsageRecord(
    id="use-1",
    allocation="a-1",
    job="j-1",
    tenant="acme",
    project="p",
    type="a100",
    tier=Tier.SPOT,
    rehearsal=False,
    hour_ms=0,
    start_ms=0,
    end_ms=20,
    accelerators=2,
    billed_ams=40,
    waived_ams=0,
)


def conserved(sums: Sums) -> Conservation:
    cells = (Cell(hour_ms=0, type="a100", rehearsal=False, sums=sums),)
    return Conservation(from_ms=0, to_ms=10, cells=cells, faults=())


def test_occupancy_parts_sum_to_capacity() -> None:
    kept = Kept(unused={(False, "a100"): 7}, lent={"use-1": 4})
    found = occupancy(conserved(SUMS), [USAGE], {"a-1"}, kept, title="x")
    # Half of the record lies in the window: 20 of the 60 were borrowed, of which 4 lay on lent seats.
    assert found.rows[0] == ("a100", "real", 40, 16, 4, 7, 5, 5, 13, 10, 100, 670_000, 600_000)
    assert found.rows[-1][0] == "all"
    with pytest.raises(InvariantError, match="sum to its capacity"):
        occupancy(conserved(replace(SUMS, idle_ams=21)), [], set(), title="x")
    with pytest.raises(InvariantError, match="sum to its capacity"):
        occupancy(conserved(SUMS), [], set(), Kept(unused={(False, "a100"): 21}, lent={}), title="x")


@pytest.mark.parametrize(
    ("days", "column"), [(-1, 2), (0, 2), (1, 3), (30, 3), (31, 4), (60, 4), (61, 5), (90, 5), (91, 6)]
)
def test_receivables_stand_in_the_column_of_their_age(days: int, column: int) -> None:
    due_ms = DOCUMENT.due_ms or 0
    found = receivables([DOCUMENT, replace(DOCUMENT, paid_micros=18_200_000)], now_ms=due_ms + days * DAY_MS)
    assert [place for place, cell in enumerate(found.rows[0][2:7], 2) if cell] == [column]
    assert found.rows[0][7:] == (18_200_000, due_ms)
    assert found.rows[1][:2] == ("all", "CNY")


def test_runway_is_credit_over_burn() -> None:
    burn = Burn(tenant="b", currency="CNY", credit_micros=300, held_micros=10, charged_micros=100)
    idle = replace(burn, tenant="a", charged_micros=0)
    found = runway([idle, burn], window_ms=2 * DAY_MS, now_ms=1_000)
    assert found.rows == (
        ("b", "CNY", 300, 10, 50, 6 * DAY_MS, 1_000 + 6 * DAY_MS),
        ("a", "CNY", 300, 10, 0, None, None),
    )


def test_credit_that_outlasts_the_calendar_has_a_runway_and_no_instant() -> None:
    burn = Burn(tenant="b", currency="CNY", credit_micros=10**12, held_micros=0, charged_micros=1)
    found = runway([burn], window_ms=DAY_MS, now_ms=1_000)
    assert found.rows == (("b", "CNY", 10**12, 0, 1, 10**12 * DAY_MS, None),)


def test_margin_is_revenue_less_power_and_depreciation() -> None:
    # Of 100 h of capacity 10 h are down, 50 h busy, 40 h idle, at 400 W and 17,520 USD over 4 years of 8,760 h:
    # energy 0.4 kW x (50 x 0.95 + 40 x 0.30) x 1.30 x 1.20 = 37.128 kWh x 0.50 = 18.564
    # depreciation 17,520 x 7 / 35,040 h = 3.50 an hour x 100 h = 350
    fleet = Fleet(
        busy_ams=50 * HOUR_MS, up_ams=90 * HOUR_MS, capacity_ams=100 * HOUR_MS, power_w=400, purchase_usd=17_520
    )
    costs = Costs(currency="CNY", energy_per_kwh=Decimal("0.50"), dollar=Decimal(7))
    earned = replace(A100, revenue_micros=737_128_000)
    found = margin([earned, T4], {"a100": fleet}, costs, "2026-03")
    expected = (37_128, 18_564_000, 350_000_000, 368_564_000, 500_000)
    assert found.rows[0] == ("a100", "CNY", 100 * HOUR_MS, 50 * HOUR_MS, 737_128_000, *expected)
    assert found.rows[1] == ("t4", "CNY", 0, 0, 25_000_000, None, None, None, None, None)
    assert found.rows[2] == ("all", "CNY", 100 * HOUR_MS, 50 * HOUR_MS, 762_128_000, *expected)
    without = margin([earned], {"a100": fleet}, replace(costs, dollar=None), "2026-03")
    assert without.rows[0][6:] == (18_564_000, None, None, None)
