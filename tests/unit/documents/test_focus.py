"""FOCUS rows: the columns of the specification, costs that sum to the invoice, and the rules on what may be null."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from decimal import Decimal

import pyarrow.parquet as pq
import pytest
from tests.unit.documents.test_invoice_page import DOCUMENT, FROM_MS, TITLES

from petahour.documents.focus import COLUMNS, Focus, focus_csv, focus_parquet
from petahour.model.invoices import DocumentKind, LineKind, Posting
from petahour.model.time import HOUR_MS

USE = Posting(
    account="prepaid:acme:CNY",
    counter="revenue:operator:CNY:a100-80g-sxm/spot",
    kind="charge",
    amount_micros=139_999_997,
    at_ms=FROM_MS + 1,
    cause="use-a",
    project="llm",
    type="a100-80g-sxm",
    tier="spot",
    accelerator_ms=10 * HOUR_MS,
    price_micros=14_000_000,
    job="job-a",
    start_ms=FROM_MS,
    end_ms=FROM_MS + HOUR_MS,
)
BACK = replace(USE, kind="reversal", amount_micros=-5_000_000, project="", type="", tier="", note="fault", job="")
FEE = replace(BACK, kind="fee", account="committed:acme:CNY", amount_micros=8_000_000, note="reservation of March")
SHARE = replace(
    BACK, kind="lent-share", counter="revenue:operator:CNY:a100-80g-sxm/lent", amount_micros=-3_000_000, note="lent"
)
REHEARSED = replace(USE, account="rehearsal-use:acme:CNY", counter="rehearsal-revenue:operator:CNY:a100-80g-sxm/spot")
INVOICE = replace(DOCUMENT, exact_micros=139_999_997)


def rows() -> list[dict[str, str]]:
    focus = Focus(document=INVOICE, postings=[USE, BACK, FEE, SHARE, REHEARSED], titles=TITLES)
    return list(csv.DictReader(io.StringIO(focus_csv(focus))))


def test_costs_sum_to_the_invoices_total() -> None:
    made = rows()
    assert tuple(made[0]) == COLUMNS
    assert len(COLUMNS) == 57
    assert sum(Decimal(row["BilledCost"]) for row in made) == Decimal("158.20")
    assert [row["ChargeCategory"] for row in made] == [
        "Usage",
        "Adjustment",
        "Purchase",
        "Credit",
        "Adjustment",
        "Tax",
    ]
    assert {row["InvoiceId"] for row in made} == {"PH2026-00042"}


def test_use_has_quantity_price_resource_and_sku() -> None:
    use = rows()[0]
    assert (use["ConsumedQuantity"], use["ConsumedUnit"]) == ("10.000000000000", "Accelerator-Hours")
    assert (use["ListUnitPrice"], use["PricingCategory"], use["ResourceId"]) == ("14", "Dynamic", "job-a")
    assert (use["ChargePeriodStart"], use["ChargePeriodEnd"]) == ("2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z")
    assert (use["BillingPeriodStart"], use["BillingPeriodEnd"]) == ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")
    assert json.loads(use["Tags"]) == {"tier": "spot", "usage-record": "use-a"}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["ChargeDescription"])
def test_what_must_and_must_not_be_null(row: dict[str, str]) -> None:
    for name in ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "BillingAccountId", "BillingCurrency",
                 "ChargeCategory", "ChargeDescription", "ProviderName", "PublisherName", "ServiceCategory",
                 "ServiceName", "ServiceSubcategory", "PricingCurrency"):  # fmt: skip
        assert row[name], name
    priced = row["ChargeCategory"] in ("Usage", "Purchase")
    for name in ("PricingCategory", "PricingQuantity", "PricingUnit", "ListUnitPrice", "SkuId", "SkuPriceId"):
        assert bool(row[name]) is priced, name
    assert bool(row["ConsumedQuantity"]) is (row["ChargeCategory"] == "Usage")


def test_a_credit_note_is_a_credit_that_corrects_the_month() -> None:
    line = replace(
        DOCUMENT.lines[0],
        kind=LineKind.CORRECTION,
        accelerator_ms=0,
        exact_micros=-1_000_000,
        amount_micros=-1_000_000,
    )
    note = replace(
        DOCUMENT,
        kind=DocumentKind.CREDIT_NOTE,
        number="PHC2026-00007",
        corrects="PH2026-00042",
        reason="slow network",
        lines=(line,),
        net_micros=-1_000_000,
        exact_micros=-1_000_000,
        tax_micros=-130_000,
    )
    made = list(csv.DictReader(io.StringIO(focus_csv(Focus(document=note, postings=(), titles={})))))
    assert [(row["ChargeCategory"], row["ChargeClass"], row["BilledCost"]) for row in made] == [
        ("Credit", "Correction", "-1"),
        ("Tax", "Correction", "-0.13"),
    ]
    assert made[0]["ChargeDescription"] == "PH2026-00042: slow network"
    assert {row["InvoiceId"] for row in made} == {"PHC2026-00007"}
    assert made[0]["SubAccountId"] == line.project


def test_what_takes_back_an_earlier_month_is_a_correction() -> None:
    before = replace(BACK, at_ms=FROM_MS - 1)
    focus = Focus(document=INVOICE, postings=[BACK, before], titles=TITLES)
    classes = [row["ChargeClass"] for row in csv.DictReader(io.StringIO(focus_csv(focus)))]
    assert classes[:2] == ["", "Correction"]


def test_parquet_says_the_same_in_types_of_its_own() -> None:
    focus = Focus(document=INVOICE, postings=[USE, BACK, FEE, SHARE, REHEARSED], titles=TITLES)
    table = pq.read_table(io.BytesIO(focus_parquet(focus)))
    assert table.column_names == list(COLUMNS)
    assert sum(table["BilledCost"].to_pylist()) == Decimal("158.20")
    assert table["ChargePeriodStart"].to_pylist()[0].isoformat() == "2026-03-01T00:00:00+00:00"
    assert table["Tags"].to_pylist()[-1] is None
