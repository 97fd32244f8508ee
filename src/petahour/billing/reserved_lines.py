"""Lines of reservations say what was reserved: so many accelerator-hours, at the price that was agreed upon."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from petahour.billing.commitments import cost_of, hours_of, note_of
from petahour.model.invoices import DocumentLine, LineKind
from petahour.model.promises import Reservation
from petahour.model.time import month_bounds


def with_hours(lines: Iterable[DocumentLine], reservations: Iterable[Reservation]) -> tuple[DocumentLine, ...]:
    """The same lines; that of a reservation's month has its accelerator-milliseconds and its price.

    Only where that time at that price comes to what the line bills, to the micro-unit: a line whose hours were
    charged otherwise, as those that became known after their month was closed, stays without.
    """
    named = {note_of(one): one for one in reservations}
    return tuple(_measured(line, named.get(line.note)) if line.kind is LineKind.FEE else line for line in lines)


def _measured(line: DocumentLine, reservation: Reservation | None) -> DocumentLine:
    if reservation is None or reservation.billed_ms is None:
        return line
    from_ms, to_ms = month_bounds(line.month)
    hours = [hour for hour in hours_of(reservation, from_ms, to_ms) if hour[1] <= reservation.billed_ms]
    if sum(cost_of(reservation, *hour) for hour in hours) != line.exact_micros:
        return line
    return replace(
        line,
        accelerator_ms=reservation.accelerators * sum(end_ms - start_ms for start_ms, end_ms in hours),
        price_min_micros=reservation.price_micros,
        price_max_micros=reservation.price_micros,
    )
