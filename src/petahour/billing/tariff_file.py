"""Tariffs as a price file has them: a price, or windows of the week, and volume bands."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from petahour.billing.book import HOURS_OF_WEEK, Band, Tariff
from petahour.billing.fields import (
    MAX_VOLUME_HOURS,
    invalid,
    read_percent,
    read_price,
    read_tables,
    read_whole,
    refuse_unknown,
)
from petahour.model.money import format_micros
from petahour.model.time import HOUR_MS

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FIELDS = {"price", "hours", "bands"}


def read_tariff(raw: object, currency: str, field: str) -> Tariff:
    """A price alone, or a table of ``price``, ``hours`` and ``bands``. Raises ValidationError.

    ``hours`` are windows ``{days, from, to, price}``. No two may overlap, and without a ``price`` for the hours
    that no window names, they must leave none out.
    """
    if not isinstance(raw, Mapping):
        return Tariff(hours=(read_price(raw, currency, field),) * HOURS_OF_WEEK)
    base = None if "price" not in raw else read_price(raw["price"], currency, f"{field}.price")
    hours: list[int | None] = [None] * HOURS_OF_WEEK
    for window, where in read_tables(raw.get("hours"), f"{field}.hours"):
        _lay(window, hours, currency, where)
    if base is None and None in hours:
        raise invalid(
            f"{field}.hours",
            _name_of(hours.index(None)),
            "every hour of the week has a price",
            "Add a window for that hour, or a price for all hours that no window names.",
        )
    return Tariff(
        hours=tuple((base or 0) if price is None else price for price in hours),
        bands=_bands(raw.get("bands"), f"{field}.bands"),
    )


def describe_tariff(tariff: Tariff, currency: str) -> dict[str, object]:
    """The tariff as JSON values that ``read_tariff`` reads back to an equal one."""
    described: dict[str, object] = {}
    if len(set(tariff.hours)) == 1:
        described["price"] = plain_price(tariff.hours[0], currency)
    else:
        described["hours"] = [
            {
                "days": DAYS[first // 24],
                "from": first % 24,
                "to": last % 24 + 1,
                "price": plain_price(price, currency),
            }
            for first, last, price in _runs(tariff.hours)
        ]
    if tariff.bands:
        described["bands"] = [
            {"from_hours": band.from_ams // HOUR_MS, "percent": str(band.off)} for band in tariff.bands
        ]
    return described


def plain_price(micros: int, currency: str) -> str:
    """Decimal text without separators."""
    return format_micros(micros, currency).replace(",", "")


def _lay(window: Mapping[str, object], hours: list[int | None], currency: str, field: str) -> None:
    refuse_unknown(window, {"days", "from", "to", "price"}, f"{field}.")
    days = _days(window.get("days"), f"{field}.days")
    begin = read_whole(window.get("from", 0), f"{field}.from", least=0, most=23)
    end = read_whole(window.get("to", 24), f"{field}.to", least=1, most=24)
    if end <= begin:
        raise invalid(f"{field}.to", end, "after the window's beginning", "Write a night as two windows.")
    price = read_price(window.get("price"), currency, f"{field}.price")
    for day in days:
        for hour in range(day * 24 + begin, day * 24 + end):
            if hours[hour] is not None:
                raise invalid(
                    field, _name_of(hour), "windows do not overlap", "Let that hour lie in one of the windows only."
                )
            hours[hour] = price


def _days(raw: object, field: str) -> list[int]:
    """``mon-fri``, ``sat,sun`` or ``mon``; every day when absent."""
    if raw is None:
        return list(range(7))
    days: list[int] = []
    for part in str(raw).split(",") if isinstance(raw, str) else [""]:
        first, _, last = part.strip().partition("-")
        if first not in DAYS or (last or first) not in DAYS or DAYS.index(last or first) < DAYS.index(first):
            raise invalid(field, raw, f"days of {', '.join(DAYS)}", 'Write it like "mon-fri" or "sat,sun".')
        days += range(DAYS.index(first), DAYS.index(last or first) + 1)
    if len(set(days)) != len(days):
        raise invalid(field, raw, "each day once", "Remove the repeated one.")
    return days


def _bands(raw: object, field: str) -> tuple[Band, ...]:
    bands: list[Band] = []
    for table, where in read_tables(raw, field):
        refuse_unknown(table, {"from_hours", "percent"}, f"{where}.")
        from_hours = read_whole(table.get("from_hours"), f"{where}.from_hours", least=1, most=MAX_VOLUME_HOURS)
        off = read_percent(table.get("percent"), f"{where}.percent")
        before = bands[-1] if bands else Band(from_ams=0, off=Decimal(0))
        if from_hours * HOUR_MS <= before.from_ams:
            raise invalid(
                f"{where}.from_hours", from_hours, "more hours than the band before", "Put the bands in order."
            )
        if off <= before.off:
            raise invalid(
                f"{where}.percent", str(off), "more per cent than the band before", "Let the price fall with volume."
            )
        bands.append(Band(from_ams=from_hours * HOUR_MS, off=off))
    return tuple(bands)


def _runs(hours: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Stretches of one price inside one day: first hour, last hour, price."""
    runs: list[tuple[int, int, int]] = []
    for hour, price in enumerate(hours):
        if runs and hour % 24 and runs[-1][2] == price:
            runs[-1] = (runs[-1][0], hour, price)
        else:
            runs.append((hour, hour, price))
    return runs


def _name_of(hour: int) -> str:
    return f"{DAYS[hour // 24]} {hour % 24:02d}:00"
