"""Time: integer milliseconds since the Unix epoch inside, aware UTC at the edges."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from petahour.model.errors import ValidationError

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

_UNITS_MS = {"ms": 1, "s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")


def to_datetime(at_ms: int) -> datetime:
    """An aware UTC datetime, exact to the millisecond."""
    seconds, millis = divmod(at_ms, SECOND_MS)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=millis * 1_000)


def to_ms(at: datetime) -> int:
    """Milliseconds since the epoch; a naive datetime is refused."""
    if at.tzinfo is None:
        raise ValidationError(
            field="time", value=at, rule="a time carries its zone", remedy="Use an aware datetime, best in UTC."
        )
    delta = at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return delta.days * DAY_MS + delta.seconds * SECOND_MS + delta.microseconds // 1_000


def to_iso(at_ms: int) -> str:
    """``2026-03-01T12:00:00.000Z``."""
    return to_datetime(at_ms).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % SECOND_MS:03d}Z"


def hour_floor(at_ms: int) -> int:
    """The start of the UTC hour that holds the instant."""
    return at_ms - at_ms % HOUR_MS


def split_hours(start_ms: int, end_ms: int) -> Iterator[tuple[int, int, int]]:
    """``(hour_start, piece_start, piece_end)`` of a half-open interval, cut at UTC hours; no empty pieces."""
    while start_ms < end_ms:
        hour = hour_floor(start_ms)
        piece_end = min(end_ms, hour + HOUR_MS)
        yield hour, start_ms, piece_end
        start_ms = piece_end


def month_bounds(month: str) -> tuple[int, int]:
    """``"2026-03"`` to the half-open interval of that month in UTC, in milliseconds."""
    found = re.fullmatch(r"(\d{4})-(\d{2})", month)
    if found is None or not 1 <= int(found[2]) <= 12 or int(found[1]) < 1970:
        raise ValidationError(
            field="month", value=month, rule="a month as YYYY-MM, from 1970 on", remedy="Write it like 2026-03."
        )
    year, number = int(found[1]), int(found[2])
    after = (year + 1, 1) if number == 12 else (year, number + 1)
    return to_ms(datetime(year, number, 1, tzinfo=UTC)), to_ms(datetime(*after, 1, tzinfo=UTC))


def add_months(at_ms: int, months: int) -> int:
    """The same day and time of a later UTC month, or the month's last day where it has no such day."""
    at = to_datetime(at_ms)
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    last = (to_datetime(month_bounds(f"{year:04d}-{month + 1:02d}")[1] - 1)).day
    return to_ms(at.replace(year=year, month=month + 1, day=min(at.day, last)))


def next_month_end(begin_ms: int, end_ms: int) -> int:
    """The first end after ``end_ms`` of a number of whole months since ``begin_ms``, at the next full hour.

    Months are counted from the beginning, not from one end to the next: from 31 January on they end on 28 February
    and then on 31 March.
    """
    begin, end = to_datetime(begin_ms), to_datetime(end_ms)
    months = max(1, (end.year - begin.year) * 12 + end.month - begin.month - 1)
    while True:
        found = add_months(begin_ms, months)
        found += -found % HOUR_MS
        if found > end_ms:
            return found
        months += 1


def month_of(at_ms: int) -> str:
    """The UTC month of an instant as ``YYYY-MM``."""
    return to_datetime(at_ms).strftime("%Y-%m")


def parse_duration(text: object, *, field: str) -> int:
    """``"1h30m"``, ``"45s"`` or ``"250ms"`` (or whole seconds as a number) to milliseconds."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text * SECOND_MS
    if isinstance(text, str):
        parts = _PART.findall(text)
        if parts and "".join(number + unit for number, unit in parts) == text.strip():
            return round(sum(float(number) * _UNITS_MS[unit] for number, unit in parts))
    raise ValidationError(
        field=field,
        value=text,
        rule="a duration of numbers with units ms, s, m, h, d or w",
        remedy='Write it like "90s", "1h30m" or "2d".',
    )


def format_duration(duration_ms: int) -> str:
    """``5025000`` to ``1h23m45s``; below a minute with a tenth of a second."""
    if duration_ms < 0:
        return "-" + format_duration(-duration_ms)
    if duration_ms < MINUTE_MS:
        return f"{duration_ms / SECOND_MS:.1f}s"
    seconds = duration_ms // SECOND_MS
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3_600)
    minutes, seconds = divmod(seconds, 60)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)


def format_span(span_ms: int) -> str:
    """A forecast's length, to be read only, rounded down to its larger units: ``29y``, ``164d``, ``1d11h``.

    A year has 365 days. Below an hour it is :func:`format_duration`.
    """
    if span_ms >= 2 * 365 * DAY_MS:
        return f"{span_ms // (365 * DAY_MS):,}y"
    for unit, next_unit in ((100 * DAY_MS, DAY_MS), (DAY_MS, HOUR_MS), (HOUR_MS, MINUTE_MS)):
        if span_ms >= unit:
            return format_duration(span_ms - span_ms % next_unit)
    return format_duration(span_ms)
