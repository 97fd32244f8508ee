"""Invoices as pages and files: all that finance people look for, in both languages, and what is not payable apart."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest
from weasyprint import HTML

from petahour.documents import figures, pdf
from petahour.documents.invoice_csv import invoice_csv
from petahour.documents.invoice_json import invoice_json
from petahour.documents.page import invoice_page
from petahour.documents.words import PHRASES, Language
from petahour.model.errors import UnavailableError
from petahour.model.invoices import DocumentKind, DocumentLine, InvoiceDocument, InvoiceState, LineKind, Party
from petahour.model.time import HOUR_MS, month_bounds

FROM_MS, TO_MS = month_bounds("2026-03")
TITLES = {"a100-80g-sxm": "NVIDIA A100 SXM4 80 GB"}


def line(amount_micros: int, **changes: object) -> DocumentLine:
    made = DocumentLine(
        kind=LineKind.USE,
        month="2026-03",
        project="llm",
        type="a100-80g-sxm",
        tier="on-demand",
        accelerator_ms=12 * HOUR_MS,
        price_min_micros=14_000_000,
        price_max_micros=14_000_000,
        exact_micros=amount_micros,
        amount_micros=amount_micros,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


DOCUMENT = InvoiceDocument(
    id="inv-acme-2026-03",
    kind=DocumentKind.INVOICE,
    tenant="acme",
    month="2026-03",
    from_ms=FROM_MS,
    to_ms=TO_MS,
    currency="CNY",
    seller=Party(name="Northern Compute", address=("88 Science Road",), tax_id="9111", bank=("Account 6222",)),
    buyer=Party(name="Acme <Labs> 极光", address=("1 Lab Street",), country="China", tax_id="9131"),
    lines=(
        line(168_000_000),
        line(28_000_000, kind=LineKind.ADJUSTMENT, month="2026-02", tier="spot", price_max_micros=15_000_000),
        line(-56_000_000, kind=LineKind.CORRECTION, project="", accelerator_ms=0, note="=switch fault"),
    ),
    net_micros=140_000_000,
    exact_micros=140_000_000,
    tax_name="VAT",
    tax_rate_ppm=130_000,
    tax_micros=18_200_000,
    prepaid_micros=140_000_000,
    rehearsal_lines=(line(5_000_000, type="mtt-s4000"),),
    rehearsal_micros=5_000_000,
    state=InvoiceState.ISSUED,
    number="PH2026-00042",
    issued_ms=TO_MS,
    due_ms=TO_MS + 14 * 24 * HOUR_MS,
    terms_days=14,
)


def test_the_page_has_what_an_invoice_must_have() -> None:
    page = invoice_page(DOCUMENT, language=Language.EN, titles=TITLES)
    for part in (
        "PH2026-00042", "1 April 2026", "15 April 2026", "1 – 31 March 2026", "14 days net", "CNY",
        "Acme &lt;Labs&gt; 极光", "1 Lab Street", "9131", "Northern Compute", "88 Science Road", "9111",
        "Account 6222", "NVIDIA A100 SXM4 80 GB", "168.00", "12.000000", "14.00 – 15.00", "−56.00",
        "VAT 13\N{NO-BREAK SPACE}%", "18.20",
        "158.20", "Use in 2026-02, known after that month was closed", "NOT PAYABLE",
    ):  # fmt: skip
        assert part in page, part


def test_the_chinese_page_has_no_english_labels() -> None:
    page = invoice_page(DOCUMENT, language=Language.ZH, titles=TITLES)
    for part in ("账单", "购买方", "纳税人识别号", "2026年4月1日", "增值税", "价税合计", "应付金额", "无需付款"):
        assert part in page, part
    assert "Bill to" not in page
    assert "Amount due" not in page


@pytest.mark.parametrize("language", Language)
def test_the_rehearsal_has_a_page_of_its_own(language: Language) -> None:
    pages = HTML(string=invoice_page(DOCUMENT, language=language, titles=TITLES)).render().pages
    alone = replace(DOCUMENT, rehearsal_lines=())
    assert len(pages) == 2
    assert len(HTML(string=invoice_page(alone, language=language, titles=TITLES)).render().pages) == 1


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"state": InvoiceState.DRAFT, "number": "", "issued_ms": None, "due_ms": None}, "Draft"),
        ({"state": InvoiceState.VOID, "voided_ms": TO_MS, "reason": "wrong address"}, "wrong address"),
        ({"state": InvoiceState.PAID, "paid_micros": 18_200_000}, "Nothing is due"),
        (
            {"state": InvoiceState.PAID, "credited_micros": 18_200_000, "reason": "written off: insolvent"},
            "Credit notes and written off",
        ),
        ({"kind": DocumentKind.CREDIT_NOTE, "corrects": "PH2026-00001", "reason": "slow"}, "PH2026-00001"),
        ({"lines": ()}, "No use in this period"),
    ],
)
def test_every_state_is_said(changes: dict[str, object], shown: str) -> None:
    assert shown in invoice_page(replace(DOCUMENT, **changes), language=Language.EN, titles=TITLES)  # type: ignore[arg-type]


def test_what_a_credit_note_gives_back_makes_up_for_its_total() -> None:
    note = replace(
        DOCUMENT,
        kind=DocumentKind.CREDIT_NOTE,
        lines=(line(-10_000_000, kind=LineKind.CORRECTION, accelerator_ms=0),),
        net_micros=-10_000_000,
        tax_micros=-1_900_000,
        prepaid_micros=-5_000_000,
        corrects="PH2026-00001",
    )
    shown = invoice_page(note, language=Language.EN, titles=TITLES)
    assert re.findall(
        r"<td>(Total CNY|Taken off the amount due|Added to prepaid credit)</td>.*?>([^<]+)</td>", shown
    ) == [
        ("Total CNY", "−11.90"),
        ("Taken off the amount due", "6.90"),
        ("Added to prepaid credit", "5.00"),
    ]


def test_a_pdf_fetches_nothing() -> None:
    assert pdf.to_pdf("<p>Invoice 账单</p>").startswith(b"%PDF-")
    assert pdf.to_pdf('<img src="http://127.0.0.1:9/x.png"><p>text</p>').startswith(b"%PDF-")


def test_without_pango_the_remedy_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "weasyprint", None)
    with pytest.raises(UnavailableError, match=r"apt install libpango-1\.0-0"):
        pdf.to_pdf("<p>x</p>")


def test_csv_lines_sum_to_net_and_no_cell_is_a_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(invoice_csv(DOCUMENT))))
    payable = [row for row in rows if row["part"] == "payable"]
    assert [row["amount"] for row in payable] == ["168.00", "28.00", "-56.00"]
    assert {row["part"]: row["amount"] for row in rows[3:]} == {
        "rehearsal-not-payable": "5.00",
        "net": "140.00",
        "tax": "18.20",
        "total": "158.20",
        "due": "18.20",
    }
    assert payable[2]["note"] == "'=switch fault"


def test_json_has_sums_and_iso_times() -> None:
    values = invoice_json(DOCUMENT)
    assert (values["total_micros"], values["due_micros"]) == (158_200_000, 18_200_000)
    assert (values["issued"], values["settled"]) == ("2026-04-01T00:00:00.000Z", None)
    assert values["rehearsal_note"] == "NOT PAYABLE"


def test_hours_have_six_decimals_which_make_the_amount() -> None:
    assert figures.hours(12 * HOUR_MS) == "12.000000"
    assert figures.hours(5_952 * HOUR_MS + 1_800_000) == "5,952.500000"
    assert figures.hours(27_561) == "0.007656"
    assert figures.hours(0) == ""


def test_every_phrase_is_in_both_languages() -> None:
    for name, phrase in PHRASES.items():
        assert phrase.zh, name
        assert phrase.en or name == "page-end"


@pytest.mark.parametrize(
    ("micros", "currency", "shown"),
    [
        (1_234_500_000, "CNY", "1,234.50"),
        (-56_000_000, "USD", "−56.00"),
        (5_000_000, "JPY", "5"),
        (1_000, "KWD", "0.001"),
    ],
)
def test_amounts_have_the_currencys_decimals(micros: int, currency: str, shown: str) -> None:
    assert figures.amount(micros, currency) == shown
