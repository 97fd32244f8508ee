"""Books of a small data centre on SQLite and PostgreSQL, with a clock that the test sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.integration.invoices.worked import ACME, SELLER, FixedClock, add_tenant, terms
from tests.integration.store.conftest import postgres, store, url

from petahour.catalog import load_catalog
from petahour.control.context import Context
from petahour.control.ids import RandomIds
from petahour.control.live import LiveState
from petahour.control.prices import load_price_books
from petahour.model.tenants import Caller, Role
from petahour.store.sql.store import SqlStore

__all__ = ["postgres", "store", "url"]

OPERATOR = Caller(key="key-1", user="operator", role=Role.OPERATOR, tenant=None)


@dataclass(frozen=True, kw_only=True)
class Books:
    """The use cases' context, and its clock."""

    context: Context
    clock: FixedClock
    store: SqlStore


@pytest.fixture
def books(store: SqlStore, tmp_path: Path) -> Books:
    """One tenant, acme, in CNY, with 13 % tax and 1,000.00 of credit; the seller is named."""
    catalog = load_catalog(None)
    clock = FixedClock()
    context = Context(
        store=store,
        engines={},
        catalog=catalog,
        prices=load_price_books(catalog),
        clock=clock,
        ids=RandomIds(),
        live=LiveState(),
        data_dir=tmp_path,
    )
    with store.write() as tx:
        add_tenant(tx, ACME, credit="1000.00")
        tx.invoices.put_seller(SELLER)
        tx.invoices.put_terms(terms(ACME, "130000"))
    return Books(context=context, clock=clock, store=store)
