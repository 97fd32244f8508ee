"""What the line of a reservation says of its hours and its price makes up what the line bills, or is not said."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from petahour.billing.commitments import cost_of, hours_of, note_of
from petahour.billing.reserved_lines import with_hours
from petahour.model.invoices import DocumentLine, LineKind
from petahour.model.promises import Reservation, ReservationState
from petahour.model.time import DAY_MS, HOUR_MS, month_bounds

FROM_MS, TO_MS = month_bounds("2026-03")
RESERVATION = Reservation(
    id="res-a",
    tenant="acme",
    type="cpu",
    nodes=2,
    per_node=4,
    from_ms=FROM_MS + 5 * DAY_MS + 1_234_567,
    to_ms=TO_MS + 3 * DAY_MS,
    price_micros=196_000,
    currency="CNY",
    billed_ms=TO_MS,
    state=ReservationState.CONFIRMED,
)


def line(exact_micros: int, **changes: object) -> DocumentLine:
    made = DocumentLine(
        kind=LineKind.FEE,
        month="2026-03",
        project="",
        type="cpu",
        tier="reserved",
        accelerator_ms=0,
        price_min_micros=0,
        price_max_micros=0,
        exact_micros=exact_micros,
        amount_micros=exact_micros // 10_000 * 10_000,
        note=note_of(RESERVATION),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def charged(reservation: Reservation) -> int:
    """What its hours within March that are charged come to, each by itself."""
    hours = hours_of(reservation, FROM_MS, TO_MS)
    return sum(cost_of(reservation, *hour) for hour in hours if hour[1] <= (reservation.billed_ms or 0))


def test_a_month_has_its_hours_and_its_price() -> None:
    (found,) = with_hours([line(charged(RESERVATION))], [RESERVATION])
    assert found.accelerator_ms == 8 * (TO_MS - RESERVATION.from_ms)
    assert found.price_min_micros == found.price_max_micros == 196_000


def test_what_does_not_come_to_the_lines_amount_is_not_said() -> None:
    due = charged(RESERVATION)
    fee = line(due, note="Early end of reservation res-a")
    share = line(-due, kind=LineKind.LENT_SHARE)
    late = line(due, month="2026-02")
    less = line(due - 1)
    for one in (fee, share, late, less):
        assert with_hours([one], [RESERVATION]) == (one,)
    whole = line(due)
    assert with_hours([whole], [replace(RESERVATION, id="res-b")]) == (whole,)
    assert with_hours([whole], [replace(RESERVATION, billed_ms=None)]) == (whole,)


@given(
    begins=st.integers(-40 * DAY_MS, 30 * DAY_MS),
    hours=st.integers(1, 1_000),
    billed=st.integers(1, 1_000),
    price=st.integers(1, 10_000_000_000),
)
def test_hours_times_price_are_what_is_billed_but_for_the_rounding_of_each_hour(
    begins: int, hours: int, billed: int, price: int
) -> None:
    from_ms = FROM_MS + begins
    whole_ms = from_ms - from_ms % HOUR_MS + HOUR_MS
    reservation = replace(
        RESERVATION,
        from_ms=from_ms,
        to_ms=whole_ms + hours * HOUR_MS,
        billed_ms=whole_ms + min(billed, hours) * HOUR_MS,
        price_micros=price,
    )
    due = charged(reservation)
    (found,) = with_hours([line(due)], [reservation])
    if due:
        assert abs(found.accelerator_ms * price / HOUR_MS - due) <= 745
        inside = min(reservation.billed_ms or 0, TO_MS) - max(from_ms, FROM_MS)
        assert found.accelerator_ms == 8 * inside
