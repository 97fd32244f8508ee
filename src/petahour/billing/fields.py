"""Fields of a price file: each reader gives a value of one kind or names the field, the rule and the remedy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation

from petahour.model.errors import ValidationError
from petahour.model.jobs import Tier
from petahour.model.money import MICROS, Money
from petahour.model.time import HOUR_MS, to_ms

MAX_PRICE_MICROS = 10_000_000 * MICROS  # per accelerator-hour: far above any chip, even in VND
MAX_NAME_LENGTH = 64
MAX_VOLUME_HOURS = 10**9  # a hundred thousand accelerators for more than a year
PPM_PER_CENT = 10_000
_PERCENT_DECIMALS = 4


def read_table(raw: object, field: str) -> Mapping[str, object]:
    """A table with text keys."""
    if not isinstance(raw, Mapping) or not all(isinstance(key, str) for key in raw):
        raise invalid(field, raw, "a table", "See the price book reference for its form.")
    return raw


def read_tables(raw: object, field: str) -> list[tuple[Mapping[str, object], str]]:
    """A list of tables, each with the field it stands in; none when absent."""
    if raw is None:
        return []
    if not isinstance(raw, list | tuple):
        raise invalid(field, raw, "a list of tables", "See the price book reference for its form.")
    return [(read_table(item, f"{field}[{number}]"), f"{field}[{number}]") for number, item in enumerate(raw)]


def read_name(raw: object, field: str) -> str:
    """A short printable text."""
    if not isinstance(raw, str) or not 1 <= len(raw) <= MAX_NAME_LENGTH or not raw.isprintable():
        raise invalid(field, raw, f"a text of 1 to {MAX_NAME_LENGTH} printable characters", "Give it a short name.")
    return raw


def read_names(raw: object, field: str) -> tuple[str, ...]:
    """A list of different names; none when absent."""
    if raw is None:
        return ()
    if not isinstance(raw, list | tuple) or not raw:
        raise invalid(field, raw, "a list of names", "Leave it out to mean all.")
    names = tuple(read_name(item, field) for item in raw)
    if len(set(names)) != len(names):
        raise invalid(field, list(names), "each name once", "Remove the repeated one.")
    return names


def read_tier(raw: str, field: str) -> Tier:
    """A tier by its name."""
    try:
        return Tier(raw)
    except ValueError:
        raise invalid(field, raw, "a tier", f"Use one of: {', '.join(Tier)}.") from None


def read_price(raw: object, currency: str, field: str) -> int:
    """A price per accelerator-hour in micro-units: decimal text, a whole number or a Decimal, never a float."""
    if isinstance(raw, bool) or not isinstance(raw, (str, int, Decimal)):
        raise invalid(field, raw, "a decimal number, as text or whole", 'Write it like "12.50".')
    most = MAX_PRICE_MICROS // MICROS
    in_range = not isinstance(raw, int) or 0 <= raw <= most  # before a huge number is turned into text
    micros = Money.parse(str(raw), currency, field=field).micros if in_range else -1
    if not 0 <= micros <= MAX_PRICE_MICROS:
        shown = str(raw) if in_range else None
        raise invalid(field, shown, f"from 0 to {most} per accelerator-hour", "Correct the price.")
    return micros


def read_percent(raw: object, field: str, *, most: int = 100) -> Decimal:
    """Per cent, from 0 to ``most``, at most four decimals."""
    if isinstance(raw, bool) or not isinstance(raw, (str, int, Decimal)):
        raise invalid(field, raw, "per cent, as text or whole", 'Write it like "7.5".')
    try:
        percent = Decimal(raw) if not isinstance(raw, int) or abs(raw) <= most else Decimal("NaN")
    except InvalidOperation:
        percent = Decimal("NaN")
    exponent = percent.as_tuple().exponent
    if not percent.is_finite() or not 0 <= percent <= most or (isinstance(exponent, int) and exponent < -4):
        shown = str(raw) if not isinstance(raw, int) else None
        raise invalid(
            field, shown, f"from 0 to {most} per cent, at most {_PERCENT_DECIMALS} decimals", "Correct the per cent."
        )
    return percent


def read_whole(raw: object, field: str, *, least: int, most: int) -> int:
    """A whole number in a range."""
    if isinstance(raw, bool) or not isinstance(raw, int) or not least <= raw <= most:
        shown = raw if isinstance(raw, str | float) else None
        raise invalid(field, shown, f"a whole number from {least} to {most}", "Correct the number.")
    return raw


def read_instant(raw: object, field: str) -> int:
    """An aware date and time, or such a text, in milliseconds."""
    at = raw
    if isinstance(raw, str):
        try:
            at = datetime.fromisoformat(raw)
        except ValueError:
            at = None
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise invalid(field, raw, "a date and time with its zone", "Write it like 2026-01-01T00:00:00Z.")
    try:
        return to_ms(at)
    except OverflowError:
        raise invalid(field, raw, "a date after the year 1", "Write it like 2026-01-01T00:00:00Z.") from None


def read_end(raw: object, field: str, after_ms: int) -> int | None:
    """An instant after another, or None when absent."""
    if raw is None:
        return None
    at_ms = read_instant(raw, field)
    if at_ms <= after_ms:
        raise invalid(field, str(raw), "later than the book takes effect", "Correct one of the two instants.")
    return at_ms


def read_offset(raw: object, field: str) -> int:
    """``+08:00`` in milliseconds; whole hours only, since usage is cut at the hours of UTC."""
    if raw is None:
        return 0
    text = raw if isinstance(raw, str) else ""
    sign, digits = text[:1], text[1:]
    if sign not in ("+", "-") or len(digits) != 5 or digits[2:] != ":00" or not (digits[:2] + "0").isdecimal():
        raise invalid(
            field, raw, "an offset from UTC in whole hours, as usage is cut at UTC's hours", 'Write it like "+08:00".'
        )
    hours = int(digits[:2])
    if hours > 14:
        raise invalid(field, raw, "from -14:00 to +14:00", 'Write it like "+08:00".')
    return (hours if sign == "+" else -hours) * HOUR_MS


def refuse_unknown(table: Mapping[str, object], known: set[str], prefix: str) -> None:
    """Raises ValidationError on a field that nobody knows."""
    for key in table:
        if key not in known:
            raise invalid(f"{prefix}{key}", None, "no such field", f"Known are: {', '.join(sorted(known))}.")


def invalid(field: str, value: object, rule: str, remedy: str) -> ValidationError:
    """The one shape of a refusal."""
    return ValidationError(field=field, value=value, rule=rule, remedy=remedy)
