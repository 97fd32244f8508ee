"""Nodes in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select, update

from petahour.model.resources import Node
from petahour.store.sql.rows import node_of, node_row
from petahour.store.sql.schema import nodes
from petahour.store.sql.statements import one, rows


class SqlFleet:
    """Nodes by name."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, node: Node) -> None:
        row = node_row(node)
        changed = self._connection.execute(update(nodes).where(nodes.c.name == node.name), row).rowcount
        if not changed:
            self._connection.execute(insert(nodes), row)

    def get(self, name: str) -> Node | None:
        return one(self._connection, select(nodes).where(nodes.c.name == name), node_of)

    def every(self) -> Sequence[Node]:
        return rows(self._connection, select(nodes).order_by(nodes.c.name), node_of)
