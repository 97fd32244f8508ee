"""An invoice as FOCUS 1.2 rows of cost and usage (the FinOps Foundation's open specification), as CSV or Parquet.

One row a charge, one for the rounding and one for the tax, so that ``BilledCost`` sums to the invoice's total. The
rows of a credit note are credits that correct the month of its invoice. Rehearsals are not payable and not there.
Source of columns and allowed values: FinOps Open Cost and Usage Specification, version 1.2, dataset "Cost and Usage".
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from petahour.model.invoices import DocumentKind, InvoiceDocument, Posting
from petahour.model.money import MICROS
from petahour.model.time import HOUR_MS, to_datetime
from petahour.model.usage import AccountKind, TransferKind

Cell = str | Decimal | None

_UNIT = "Accelerator-Hours"
_QUANTITY = Decimal("0.000000000001")
_PRICING = {"on-demand": "Standard", "spot": "Dynamic", "reserved": "Other"}

DECIMALS = frozenset(
    {
        "BilledCost", "CommitmentDiscountQuantity", "ConsumedQuantity", "ContractedCost", "ContractedUnitPrice",
        "EffectiveCost", "ListCost", "ListUnitPrice", "PricingCurrencyContractedUnitPrice",
        "PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice", "PricingQuantity",
    }
)  # fmt: skip
TIMES = frozenset({"BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart"})
COLUMNS = (
    "AvailabilityZone", "BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType",
    "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "CapacityReservationId", "CapacityReservationStatus",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart",
    "CommitmentDiscountCategory", "CommitmentDiscountId", "CommitmentDiscountName", "CommitmentDiscountQuantity",
    "CommitmentDiscountStatus", "CommitmentDiscountType", "CommitmentDiscountUnit", "ConsumedQuantity",
    "ConsumedUnit", "ContractedCost", "ContractedUnitPrice", "EffectiveCost", "InvoiceId", "InvoiceIssuerName",
    "ListCost", "ListUnitPrice", "PricingCategory", "PricingCurrency", "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice", "PricingQuantity", "PricingUnit", "ProviderName",
    "PublisherName", "RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory",
    "ServiceName", "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId",
    "SubAccountName", "SubAccountType", "Tags",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Focus:
    """The rows of one invoice or credit note, which has no postings. ``titles`` are the full names of types."""

    document: InvoiceDocument
    postings: Iterable[Posting]
    titles: Mapping[str, str]

    def rows(self) -> Iterator[dict[str, Cell]]:
        """Every payable charge as it was posted, then rounding and tax of the document."""
        document = self.document
        if document.kind is DocumentKind.CREDIT_NOTE:
            yield from self._credits()
            return
        for posting in self.postings:
            if not posting.account.startswith(f"{AccountKind.REHEARSAL_USE.value}:"):
                yield self._charge(posting)
        if document.rounding_micros:
            rounding = "Rounding of the invoice's lines to the minor unit"
            yield self._whole("Adjustment", rounding, document.rounding_micros)
        if document.tax_micros:
            yield self._whole("Tax", f"{document.tax_name} on {document.month}", document.tax_micros)

    def _credits(self) -> Iterator[dict[str, Cell]]:
        """What a credit note takes back of an invoiced month, and the tax on it."""
        document = self.document
        for line in document.lines:
            row = self._whole("Credit", f"{document.corrects}: {document.reason}", line.amount_micros)
            if line.project:
                row |= {"SubAccountId": line.project, "SubAccountName": line.project, "SubAccountType": "Project"}
            yield row | {"ChargeClass": "Correction"}
        if document.tax_micros:
            tax = self._whole("Tax", f"{document.tax_name} on {document.month}", document.tax_micros)
            yield tax | {"ChargeClass": "Correction"}

    def _charge(self, posting: Posting) -> dict[str, Cell]:
        start_ms, end_ms = posting.start_ms, posting.end_ms
        if not posting.project:
            start_ms = posting.at_ms - posting.at_ms % HOUR_MS
            end_ms = start_ms + HOUR_MS
        row = self._base(posting.amount_micros, start_ms, end_ms)
        type_name, tier = posting.type, posting.tier
        if not type_name:
            type_name, _, tier = posting.counter.split(":", 3)[-1].partition("/")
        title = self.titles.get(type_name, type_name)
        row |= {
            "ChargeCategory": "Usage",
            "ChargeDescription": f"{title}, {tier}",
            "ChargeFrequency": "Usage-Based",
            "PricingCategory": _PRICING.get(tier, "Other"),
            "ResourceType": "Accelerator" if type_name else None,
            "SkuId": type_name or None,
            "SkuMeter": "Accelerator time",
            "SkuPriceDetails": json.dumps({"x_AcceleratorType": type_name, "x_Tier": tier}),
        }
        if posting.project:
            return row | self._quantities(posting) | self._place(posting)
        row |= {"ChargeDescription": posting.note or posting.cause, "SkuPriceDetails": None}
        no_sku = dict.fromkeys(("PricingCategory", "ResourceType", "SkuId", "SkuMeter"))
        if posting.kind == TransferKind.REVERSAL:
            corrects = "Correction" if posting.at_ms < self.document.from_ms else None
            made = {"ChargeCategory": "Adjustment", "ChargeFrequency": "One-Time", "ChargeClass": corrects}
            return row | no_sku | made
        if posting.kind == TransferKind.LENT_SHARE:
            return row | no_sku | {"ChargeCategory": "Credit", "ChargeFrequency": "Recurring"}
        price = _amount(posting.amount_micros)
        return row | {
            "ChargeCategory": "Purchase",
            "ChargeFrequency": "Recurring" if "@" in posting.cause else "One-Time",  # an hour, or a fee
            "PricingCategory": "Other",
            "PricingQuantity": Decimal(1),
            "PricingUnit": "Commitments",
            "ListUnitPrice": price,
            "ContractedUnitPrice": price,
            "PricingCurrencyListUnitPrice": price,
            "PricingCurrencyContractedUnitPrice": price,
            "SkuMeter": "Commitment",
            "SkuPriceId": f"{type_name}/{tier}/commitment",
        }

    def _quantities(self, posting: Posting) -> dict[str, Cell]:
        quantity = (Decimal(posting.accelerator_ms) / HOUR_MS).quantize(_QUANTITY)
        unit_price = _amount(posting.price_micros)
        return {
            "ConsumedQuantity": quantity,
            "ConsumedUnit": _UNIT,
            "PricingQuantity": quantity,
            "PricingUnit": _UNIT,
            "ListUnitPrice": unit_price,
            "ContractedUnitPrice": unit_price,
            "PricingCurrencyListUnitPrice": unit_price,
            "PricingCurrencyContractedUnitPrice": unit_price,
            "SkuPriceId": f"{posting.type}/{posting.tier}/{self.document.currency}/{posting.price_micros}",
        }

    @staticmethod
    def _place(posting: Posting) -> dict[str, Cell]:
        return {
            "ResourceId": posting.job,
            "ResourceName": posting.job,
            "SubAccountId": posting.project,
            "SubAccountName": posting.project,
            "SubAccountType": "Project",
            "Tags": json.dumps({"tier": posting.tier, "usage-record": posting.cause}),
        }

    def _whole(self, category: str, text: str, micros: int) -> dict[str, Cell]:
        row = self._base(micros, self.document.from_ms, self.document.to_ms)
        return row | {"ChargeCategory": category, "ChargeDescription": text, "ChargeFrequency": "One-Time"}

    def _base(self, micros: int, start_ms: int, end_ms: int) -> dict[str, Cell]:
        """What every row has; columns without a value are null."""
        document = self.document
        amount = _amount(micros)
        return {
            **dict.fromkeys(COLUMNS),
            "BilledCost": amount,
            "BillingAccountId": document.tenant,
            "BillingAccountName": document.buyer.name,
            "BillingAccountType": "Tenant",
            "BillingCurrency": document.currency,
            "BillingPeriodStart": _instant(document.from_ms),
            "BillingPeriodEnd": _instant(document.to_ms),
            "ChargePeriodStart": _instant(start_ms),
            "ChargePeriodEnd": _instant(end_ms),
            "ContractedCost": amount,
            "EffectiveCost": amount,
            "ListCost": amount,
            "InvoiceId": document.number or None,
            "InvoiceIssuerName": document.seller.name,
            "PricingCurrency": document.currency,
            "PricingCurrencyEffectiveCost": amount,
            "ProviderName": document.seller.name,
            "PublisherName": document.seller.name,
            "ServiceCategory": "AI and Machine Learning",
            "ServiceSubcategory": "AI Platforms",
            "ServiceName": "Accelerator rental",
        }


def focus_csv(focus: Focus) -> str:
    """CSV with a header; null is an empty cell, times are ISO 8601 in UTC."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for row in focus.rows():
        writer.writerow({name: _text(value) for name, value in row.items()})
    return out.getvalue()


def focus_parquet(focus: Focus) -> bytes:
    """Parquet with decimals and UTC timestamps as their own types."""
    # Loaded when it is needed: a control plane that serves should not wait for it to start.
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = list(focus.rows())
    kinds = {name: pa.decimal128(38, 12) for name in DECIMALS} | {name: pa.timestamp("ms", "UTC") for name in TIMES}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    columns = [_array([row[name] for row in rows], schema.field(name).type, name) for name in COLUMNS]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), out)
    return out.getvalue()


def _array(values: list[Cell], kind: object, name: str) -> object:
    import pyarrow as pa

    if name in TIMES:
        return pa.array(values, pa.string()).cast(kind)
    return pa.array(values, kind)


def _amount(micros: int) -> Decimal:
    return Decimal(micros) / MICROS


def _instant(at_ms: int) -> str:
    at = to_datetime(at_ms)
    return f"{at:%Y-%m-%dT%H:%M:%S}" + (f".{at_ms % 1_000:03d}Z" if at_ms % 1_000 else "Z")


def _text(value: Cell) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return "" if value is None else value
