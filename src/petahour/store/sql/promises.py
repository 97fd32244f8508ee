"""Maintenance windows and reservations, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import orjson
from sqlalchemy import Connection, Table, delete, insert, select, update

from petahour.model.promises import (
    Lending,
    Maintenance,
    Reservation,
    ReservationState,
    WindowState,
    maintenance_data,
    maintenance_from,
    reservation_data,
    reservation_from,
    seats_data,
    seats_from,
)
from petahour.store.sql.promise_tables import lendings, maintenance, reservations
from petahour.store.sql.statements import one, rows

_OVER = (WindowState.CLOSED.value, WindowState.CANCELLED.value)


class SqlPromises:
    """What is promised in time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put_window(self, window: Maintenance) -> None:
        self._put(maintenance, maintenance_data(window), "nodes")

    def window(self, window_id: str) -> Maintenance | None:
        return one(self._connection, select(maintenance).where(maintenance.c.id == window_id), _window_of)

    def windows(self, *, over: bool = False, limit: int | None = None) -> Sequence[Maintenance]:
        column = maintenance.c
        query = select(maintenance).order_by(column.from_ms.desc() if over else column.from_ms, column.id)
        if not over:
            query = query.where(column.state.not_in(_OVER))
        return rows(self._connection, query.limit(limit), _window_of)

    def put_reservation(self, reservation: Reservation) -> None:
        self._put(reservations, reservation_data(reservation), "seats")

    def reservation(self, reservation_id: str) -> Reservation | None:
        query = select(reservations).where(reservations.c.id == reservation_id)
        return one(self._connection, query, _reservation_of)

    def reservations(
        self, *, tenant: str | None = None, state: ReservationState | None = None
    ) -> Sequence[Reservation]:
        column = reservations.c
        query = select(reservations).order_by(column.from_ms, column.id)
        if tenant is not None:
            query = query.where(column.tenant == tenant)
        if state is not None:
            query = query.where(column.state == state.value)
        return rows(self._connection, query, _reservation_of)

    def put_lending(self, reservation_id: str, lending: Lending | None, *, at_ms: int) -> None:
        """From an instant on the reservation lends so; None: nothing any more. What it lent before stays known."""
        same = lendings.c.reservation == reservation_id
        self._connection.execute(delete(lendings).where(same, lendings.c.from_ms >= at_ms))
        self._connection.execute(update(lendings).where(same, lendings.c.to_ms > at_ms), {"to_ms": at_ms})
        if lending is not None:
            row = asdict(lending) | {"seats": orjson.dumps(seats_data(lending.seats)).decode()}
            self._connection.execute(insert(lendings), row)

    def lendings(self, *, from_ms: int, to_ms: int) -> Sequence[Lending]:
        column = lendings.c
        query = select(lendings).where(column.from_ms < to_ms, column.to_ms > from_ms)
        return rows(self._connection, query.order_by(column.reservation, column.from_ms), _lending_of)

    def _put(self, table: Table, data: dict[str, object], listed: str) -> None:
        row = data | {listed: orjson.dumps(data[listed]).decode()}
        if not self._connection.execute(update(table).where(table.c.id == data["id"]), row).rowcount:
            self._connection.execute(insert(table), row)


def _window_of(row: Mapping[str, Any]) -> Maintenance:
    known = {field.name: row[field.name] for field in fields(Maintenance)}
    return maintenance_from(known | {"nodes": orjson.loads(row["nodes"])})


def _reservation_of(row: Mapping[str, Any]) -> Reservation:
    known = {field.name: row[field.name] for field in fields(Reservation)}
    return reservation_from(known | {"seats": orjson.loads(row["seats"])})


def _lending_of(row: Mapping[str, Any]) -> Lending:
    return Lending(**{**row, "seats": seats_from(orjson.loads(row["seats"]))})
