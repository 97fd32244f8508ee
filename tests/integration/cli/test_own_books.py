"""After an invoice was issued, as the guide to billing types it: commands on a data directory, without a server."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.integration.invoices.worked import ACME, add_tenant, at, use

from petahour.cli.main import run
from petahour.model.events import Event, EventKind
from petahour.model.time import DAY_MS, to_ms
from petahour.store.protocol import InvoiceFilter
from petahour.store.sql.store import open_store, sqlite_url

TOLD = (EventKind.INVOICE_ISSUED, EventKind.CREDIT_NOTE_ISSUED)


class Typed:
    """Commands on one data directory, and what they print."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder = folder
        self._capsys = capsys

    def __call__(self, *words: str, code: int = 0) -> str:
        self._capsys.readouterr()
        assert run([*words, "--data-dir", str(self._folder)]) == code
        printed = self._capsys.readouterr()
        return printed.out + printed.err


@pytest.fixture
def typed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Typed:
    """A tenant that used 1,400.00 CNY of time in March 2026 and pays later."""
    store = open_store(sqlite_url(tmp_path / "petahour.db"))
    with store.write() as tx:
        add_tenant(tx, ACME)
        use(tx, "a", at(3, 1), at(3, 5, 4), postpaid=True)
    store.close()
    typed = Typed(tmp_path, capsys)
    typed("invoices", "seller", "--name", "Northern Compute", "--address", "88 Science Road", "--country", "China")
    typed("invoices", "terms", "acme", "--tax-rate", "13%", "--terms-days", "14")
    return typed


def test_a_payment_that_bounced_and_a_debt_that_is_given_up(typed: Typed) -> None:
    assert "issued" in typed("close", "2026-03")
    (number,) = {word for word in typed("invoices", "list").split() if word.startswith("PH")}
    assert " 1,400.00  182.00  1,582.00  1,582.00  CNY" in typed("invoices", "list")
    assert " paid " in typed("invoices", "pay", number, "--key", "BANK-1")
    refused = typed("invoices", "pay", number, "--key", "BANK-2", code=3)
    assert "this one is paid" in refused

    month = f"{datetime.now(UTC):%Y-%m}"
    statement = typed("invoices", "statement", "acme", "--month", month, "--format", "csv", "--output", "-")
    (paid,) = (row for row in csv.DictReader(io.StringIO(statement)) if row["kind"] == "payment")
    assert "1,582.00 CNY back" in typed("ledger", "reverse", paid["transfer"], "--note", "the bank took it back")
    assert " 1,582.00  1,582.00  CNY" in typed("invoices", "list")

    assert number in typed("write-off", number, "--reason", "insolvent")
    assert " written off  1,400.00  182.00  1,582.00  0.00  CNY" in typed("invoices", "list")
    proof = typed("ledger", "verify", code=1)  # this use was written into the books without the events of its jobs
    assert re.search(r"^the ledger has the tax and the payments of every invoice +ok$", proof, re.MULTILINE)
    assert re.search(r"^every reversal mirrors what it takes back +ok$", proof, re.MULTILINE)


def test_a_line_that_is_not_there_is_told_where_lines_are_numbered(typed: Typed) -> None:
    typed("close", "2026-03")
    (number,) = {word for word in typed("invoices", "list").split() if word.startswith("PH")}
    refused = typed("invoices", "credit", number, "--line", "7", "--reason", "slow", code=3)
    assert refused == (
        f'Error: line: a line from 1 to 1 (got 7). "petahour explain invoice {number}" numbers them.\n'
    )


def test_nothing_is_dated_before_what_is_recorded(typed: Typed, tmp_path: Path) -> None:
    later_ms = to_ms(datetime.now(UTC)) + 9 * DAY_MS
    store = open_store(sqlite_url(tmp_path / "petahour.db"))
    with store.write() as tx:
        tx.events.append(Event(kind=EventKind.TENANT_CREATED, at_ms=later_ms, tenant="acme"))
    typed("close", "2026-03")
    (number,) = {word for word in typed("invoices", "list").split() if word.startswith("PH")}
    typed("invoices", "credit", number, "--line", "1", "--amount", "10", "--reason", "an outage", "--key", "out-1")
    with store.read() as tx:
        documents = tx.invoices.find(InvoiceFilter())
        issued_ms = [one.issued_ms for one in documents if one.issued_ms is not None]
        told_ms = [one.at_ms for one in tx.events.after(0, limit=99) if one.kind in TOLD]
    store.close()
    assert len(issued_ms) == len(told_ms) == 2
    assert min(*issued_ms, *told_ms) >= later_ms
