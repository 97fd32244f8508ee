"""Rows of money are found by their indexes: none of these reads may grow with the whole ledger."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Select, or_, select

from petahour.store.sql.postings import postings_query, sums_query
from petahour.store.sql.reports import shared_query
from petahour.store.sql.schema import charges, transfers, usage_records
from petahour.store.sql.statements import credited, of_allocation
from petahour.store.sql.store import SqlStore
from petahour.store.sql.streams import credit_moves_query

OWN = ["prepaid:acme:CNY", "receivable:acme:CNY"]


@pytest.mark.parametrize(
    "query",
    [
        sums_query(OWN, from_ms=0),
        postings_query(OWN),
        select(transfers.c.id).where(or_(transfers.c.debit.in_(OWN), credited(OWN))),
        credit_moves_query("acme", "CNY"),
        shared_query(OWN, from_ms=0, to_ms=1),
        select(charges)
        .join_from(usage_records, charges, charges.c.usage == usage_records.c.id)
        .where(usage_records.c.tenant == "acme", usage_records.c.hour_ms >= 7),
        select(usage_records).where(of_allocation("alloc-1")),
    ],
    ids=["sums", "postings", "transfers", "moves", "shares", "charges", "usage"],
)
def test_no_table_of_money_is_read_as_a_whole(store: SqlStore, query: Select[Any]) -> None:
    with store.read() as tx:
        connection = tx.ledger._connection
        explain = "EXPLAIN QUERY PLAN "
        if store.shared:
            explain = "EXPLAIN "
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # The tables are empty.
        statement = str(query.compile(connection.engine, compile_kwargs={"literal_binds": True}))
        plan = "\n".join(str(row[-1]) for row in connection.exec_driver_sql(explain + statement))
    assert "Seq Scan" not in plan
    assert "SCAN" not in plan
    assert "ix_" in plan or "pk_" in plan or "autoindex" in plan
