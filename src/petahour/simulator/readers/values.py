"""Values: a field's text as a number or an instant, or the rule that it breaks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import isfinite

from petahour.model.resources import MAX_GANG_NODES
from petahour.model.time import SECOND_MS

# Some 31,700 years: far from what a 64-bit count of milliseconds holds, so that sums of times cannot overflow.
MAX_MS = 10**15
MAX_ACCELERATORS = MAX_GANG_NODES

_EPOCH_NAIVE = datetime(1970, 1, 1)  # noqa: DTZ001 (a naive instant is counted from a naive origin)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOOSE_DATES = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")
_SAFE_DIGITS = 15


class RowFault(Exception):  # noqa: N818 (not an error of the program: a line that is no job)
    """A line that is no job: which field, what it says, and the rule it breaks."""

    def __init__(self, field: str, value: object, rule: str) -> None:
        self.field, self.value, self.rule = field, value, rule
        super().__init__(field, value, rule)

    def __str__(self) -> str:
        shown = repr(self.value)
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        return f"{self.field} {self.rule}" + ("" if self.value is None else f" (got {shown})")


def number(text: str, field: str) -> float:
    """A finite number. Raises RowFault."""
    try:
        value = float(text)
    except ValueError:
        raise RowFault(field, text, "is not a number") from None
    # Python reads 1_000 as a thousand; in a data file it is a slip.
    if "_" in text or not isfinite(value):
        raise RowFault(field, text, "is not a finite number")
    return value


def count(text: str, field: str, most: int = MAX_ACCELERATORS) -> int:
    """A whole number from 0 to ``most``; ``8.0`` is one too. Raises RowFault."""
    if text.isdecimal() and len(text) <= _SAFE_DIGITS:
        value = int(text)
    else:
        real = number(text, field)
        if real != int(real):
            raise RowFault(field, text, "is not a whole number")
        value = int(real)
    if value < 0:
        raise RowFault(field, text, "is negative")
    if value > most:
        raise RowFault(field, text, f"is more than {most}")
    return value


def span_ms(text: str, field: str, unit_ms: int = SECOND_MS) -> int:
    """A length of time of 0 or more, in ms; the text counts ``unit_ms``. Raises RowFault."""
    if text.isdecimal() and len(text) <= _SAFE_DIGITS:
        value = int(text) * unit_ms
        if value <= MAX_MS:
            return value
    return length_ms(number(text, field) * unit_ms, field, text)


def length_ms(real_ms: float, field: str, text: str) -> int:
    """A computed length of time in whole ms. Raises RowFault, with the ``text`` that it comes from."""
    if real_ms < 0:
        raise RowFault(field, text, "is negative")
    if real_ms > MAX_MS:
        raise RowFault(field, text, f"is more than {MAX_MS // SECOND_MS} s")
    return round(real_ms)


class Clock:
    """One file's clock: seconds from an origin, or dates with or without an offset from UTC, but never a mixture.

    Mixed, the sort by submit time would put some jobs half a century away from the others. A date without an offset
    is taken as it stands, as if in UTC: no hour is repeated or left out.
    """

    __slots__ = ("_kind",)

    def __init__(self) -> None:
        self._kind = ""

    def ms(self, text: str, field: str) -> int:
        """Milliseconds from the clock's origin. Raises RowFault."""
        if text.isdecimal() and len(text) <= _SAFE_DIGITS:
            kind, value = "seconds", int(text) * SECOND_MS
        else:
            kind, value = _instant(text.strip(), field)
        if kind != self._kind:
            if self._kind:
                raise RowFault(field, text, f"counts {kind} where the lines before it count {self._kind}")
            self._kind = kind
        if value > MAX_MS:
            raise RowFault(field, text, f"is later than {MAX_MS // SECOND_MS} s after the origin")
        return value


def _instant(text: str, field: str) -> tuple[str, int]:
    if len(text) >= 8 and text[4] in "-/":
        moment = _date(text, field)
        if moment.tzinfo is None:
            return "dates without an offset", _elapsed_ms(moment - _EPOCH_NAIVE)
        return "dates with an offset", _elapsed_ms(moment - _EPOCH)
    return "seconds", span_ms(text, field)


def _date(text: str, field: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        text = text.replace("/", "-")
        for suffix in (" UTC", " GMT"):
            if text.endswith(suffix):
                text = text.removesuffix(suffix)
                return _loose_date(text, field).replace(tzinfo=UTC)
        return _loose_date(text, field)


def _loose_date(text: str, field: str) -> datetime:
    """Dates as other tools write them: slashes, months and hours of one digit."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for form in _LOOSE_DATES:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 (the caller tells what has an offset)
        except ValueError:
            continue
    raise RowFault(field, text, "is not a date such as 2017-10-03 06:00:07")


def _elapsed_ms(elapsed: timedelta) -> int:
    return elapsed.days * 86_400_000 + elapsed.seconds * 1_000 + elapsed.microseconds // 1_000
