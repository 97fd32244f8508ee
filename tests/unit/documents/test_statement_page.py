"""Statements of account as a page and as a table: who they are between, points in line, transfers by name."""

from __future__ import annotations

import csv
import io
import re

from petahour.billing.account_statement import AccountStatement, Entry
from petahour.documents.statement_page import statement_csv, statement_page
from petahour.documents.words import Language
from petahour.model.invoices import Party
from petahour.model.tenants import Tenant
from petahour.model.time import DAY_MS, month_bounds

FROM_MS, TO_MS = month_bounds("2026-03")
CREDIT = AccountStatement(
    account="prepaid:acme:CNY",
    from_ms=FROM_MS,
    to_ms=TO_MS,
    opening_micros=0,
    entries=(
        Entry(
            at_ms=FROM_MS,
            kind="topup",
            note="=wire-1",
            amount_micros=5_000_000_000,
            balance_micros=5_000_000_000,
            transfer="trf-topup-acme:wire-1",
        ),
        Entry(
            at_ms=FROM_MS + DAY_MS,
            kind="charge",
            note="",
            amount_micros=-28_748_000,
            balance_micros=4_971_252_000,
            count=2,
        ),
    ),
    closing_micros=4_971_252_000,
)
OWED = AccountStatement(
    account="receivable:acme:CNY", from_ms=FROM_MS, to_ms=TO_MS, opening_micros=0, entries=(), closing_micros=0
)


def page(language: Language = Language.EN) -> str:
    return statement_page(
        (CREDIT, OWED),
        tenant=Tenant(name="acme", title="Acme Labs", currency="CNY", created_ms=0),
        seller=Party(
            name="Northern Compute", address=("88 Science Road",), tax_id="9111", email="billing@nc.example"
        ),
        buyer=Party(name="Acme Labs", address=("1 Lab Street",), tax_id="9131"),
        language=language,
        now_ms=TO_MS,
    )


def test_all_amounts_have_as_many_decimals_as_the_finest_of_them() -> None:
    amounts = re.findall(r'<td class="right">([^<]+)</td>', page())
    assert "5,000.000" in amounts
    assert "28.748" in amounts
    assert {text.partition(".")[2] for text in amounts} == {"000", "748", "252"}


def test_the_page_says_who_the_account_is_between() -> None:
    for language in Language:
        shown = page(language)
        for part in ("Northern Compute", "88 Science Road", "9111", "billing@nc.example", "1 Lab Street", "9131"):
            assert part in shown


def test_an_entry_of_one_transfer_names_it_so_that_it_can_be_taken_back() -> None:
    rows = list(csv.DictReader(io.StringIO(statement_csv((CREDIT, OWED)))))
    assert rows[1]["note"] == "'=wire-1"  # for a spreadsheet it is text and no formula
    assert [(row["kind"], row["amount"], row["transfer"]) for row in rows[:4]] == [
        ("opening", "", ""),
        ("topup", "5000.000000", "trf-topup-acme:wire-1"),
        ("charge", "-28.748000", ""),
        ("closing", "", ""),
    ]
