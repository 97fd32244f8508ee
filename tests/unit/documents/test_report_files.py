"""Reports as files: figures in units that people use, charts that are SVG without anything that points outside."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from petahour.billing.conservation import Conservation
from petahour.billing.reports.margin import Costs, margin
from petahour.billing.reports.occupancy import PARTS, occupancy
from petahour.billing.reports.receivables import receivables
from petahour.billing.reports.revenue import Earned, revenue
from petahour.billing.reports.runway import Burn, runway
from petahour.billing.reports.table import Report, parts_in
from petahour.billing.tally import Cell, Sums
from petahour.documents.charts import chart
from petahour.documents.report_files import report_csv, report_json, report_parquet
from petahour.model.time import DAY_MS, HOUR_MS

EARNED = Earned(
    currency="CNY", type="a100 <x>", tier="spot", accelerator_ms=3 * HOUR_MS // 2, revenue_micros=75_000_000
)
BURN = Burn(tenant="acme", currency="CNY", credit_micros=10, held_micros=0, charged_micros=5)
REPORTS = (
    revenue([EARNED], "2026-03"),
    runway([BURN], window_ms=DAY_MS, now_ms=0),
    receivables([], now_ms=0),
    margin([EARNED], {}, Costs(currency="CNY", energy_per_kwh=Decimal(1), dollar=None), "2026-03"),
)


def test_csv_and_parquet_say_the_same_without_totals() -> None:
    rows = list(csv.DictReader(io.StringIO(report_csv(REPORTS[0]))))
    assert len(rows) == 1
    assert (rows[0]["sold_hours"], rows[0]["revenue"], rows[0]["part_share"]) == (
        "1.500000000",
        "75.000000000",
        "1.000000000",
    )
    table = pq.read_table(io.BytesIO(report_parquet(REPORTS[0])))
    assert table["revenue"].to_pylist() == [Decimal(75)]
    runways = pq.read_table(io.BytesIO(report_parquet(REPORTS[1])))
    assert runways["runway_hours"].to_pylist() == [Decimal(48)]
    assert runways["empty"].to_pylist()[0].isoformat() == "1970-01-03T00:00:00+00:00"


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=9), st.integers(0, 9))
def test_parts_of_a_whole_sum_to_it_in_any_unit(parts: list[int], digits: int) -> None:
    figures = parts_in(parts, HOUR_MS, digits)
    last = Fraction(1, 10**digits)
    assert Fraction(sum(figures, Decimal(0))) == round(Fraction(sum(parts), HOUR_MS) / last) * last
    assert all(abs(Fraction(one) - Fraction(part, HOUR_MS)) < last for one, part in zip(figures, parts, strict=True))


def test_hours_that_are_stacked_sum_to_the_capacity_in_files() -> None:
    third = HOUR_MS // 3 + 1
    sums = Sums(
        billed_ams=third, waived_ams=third, open_ams=third, idle_ams=7, down_ams=0, capacity_ams=3 * third + 7
    )
    cells = (Cell(hour_ms=0, type="a100", rehearsal=False, sums=sums),)
    found = occupancy(Conservation(from_ms=0, to_ms=1, cells=cells, faults=()), [], set(), title="x")
    (row,) = csv.DictReader(io.StringIO(report_csv(found)))
    assert sum(Decimal(row[f"{part}_hours"]) for part in PARTS) == Decimal(row["capacity_hours"])
    (stored,) = pq.read_table(io.BytesIO(report_parquet(found))).to_pylist()
    assert sum(stored[f"{part}_hours"] for part in PARTS) == stored["capacity_hours"]
    assert row["down_hours"] == "0.000000000"


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.name)
def test_charts_are_svg_that_point_nowhere(report: Report) -> None:
    drawn = chart(report)
    root = ElementTree.fromstring(drawn)
    assert root.tag.endswith("svg")
    assert report.title in "".join(root.itertext())
    assert not re.search(r'href="(?!#)', drawn)
    assert drawn == chart(report)


def test_money_has_one_axis_a_currency() -> None:
    """A bar of thirty yuan next to one of a dollar would say what is not so."""
    dollars = replace(EARNED, currency="USD", revenue_micros=1_000_000)
    root = ElementTree.fromstring(chart(revenue([EARNED, dollars], "2026-03")))
    axes = [one for one in root.iter() if (one.get("id") or "").startswith("axes_")]
    words = ["".join(one.itertext()).split() for one in axes]
    assert len(axes) == 2
    assert ["CNY" in found for found in words] == [True, False]
    assert ["USD" in found for found in words] == [False, True]


def test_the_axis_of_nothing_has_no_figures_but_zero() -> None:
    for found in (revenue([], "2026-03"), revenue([replace(EARNED, revenue_micros=0)], "2026-03")):
        root = ElementTree.fromstring(chart(found))
        assert re.findall(r"\d\.\d+", "".join(root.itertext())) == []


def test_json_has_columns_with_their_units() -> None:
    values = report_json(REPORTS[0])
    assert values["columns"][3] == {"name": "sold", "title": "HOURS SOLD", "holds": "hours"}  # type: ignore[index]
