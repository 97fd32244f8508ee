"""Rules of posted spot prices as a price file has them: ``[price_book.spot.TYPE]``."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from petahour.billing.book import Tariff
from petahour.billing.fields import (
    PPM_PER_CENT,
    invalid,
    read_name,
    read_percent,
    read_price,
    read_table,
    refuse_unknown,
)
from petahour.billing.spot import SpotRule
from petahour.billing.tariff_file import plain_price
from petahour.model.jobs import Tier

_FIELDS = {"floor", "ceiling", "step", "target"}


def read_spot(
    raw: object, currency: str, tariffs: Mapping[tuple[str, Tier], Tariff], field: str
) -> dict[str, SpotRule]:
    """The rule of each type; none when absent. ``tariffs`` are the book's, which must have the first price.

    ``floor``, ``ceiling`` and ``step`` are prices of an accelerator-hour, ``target`` is per cent. Raises
    ValidationError.
    """
    rules: dict[str, SpotRule] = {}
    for type_name, table in ({} if raw is None else read_table(raw, field)).items():
        where = f"{field}.{type_name}"
        rule = _rule(read_table(table, where), currency, where)
        rules[read_name(type_name, where)] = rule
        first = tariffs.get((type_name, Tier.SPOT))
        if first is None or len(set(first.hours)) > 1:
            raise invalid(
                where,
                None,
                f"prices.{type_name}.spot is one price for all hours, from which the posted price begins",
                f'Write like prices.{type_name}.spot = "{plain_price(rule.floor_micros, currency)}".',
            )
        if rule.within(first.hours[0]) != first.hours[0]:
            raise invalid(
                where,
                plain_price(first.hours[0], currency),
                f"prices.{type_name}.spot lies between floor and ceiling",
                "Correct one of the three.",
            )
    return rules


def describe_spot(rules: Mapping[str, SpotRule], currency: str) -> dict[str, object]:
    """The rules as JSON values that ``read_spot`` reads back to equal ones."""
    return {
        type_name: {
            "floor": plain_price(rule.floor_micros, currency),
            "ceiling": plain_price(rule.ceiling_micros, currency),
            "step": plain_price(rule.step_micros, currency),
            "target": str(Decimal(rule.target_ppm) / PPM_PER_CENT),
        }
        for type_name, rule in sorted(rules.items())
    }


def _rule(table: Mapping[str, object], currency: str, field: str) -> SpotRule:
    refuse_unknown(table, _FIELDS, f"{field}.")
    floor, ceiling, step = (
        read_price(table.get(name), currency, f"{field}.{name}") for name in ("floor", "ceiling", "step")
    )
    if ceiling < floor:
        raise invalid(f"{field}.ceiling", plain_price(ceiling, currency), "not below the floor", "Swap the two.")
    target = read_percent(table.get("target"), f"{field}.target")
    if not 0 < target < 100:
        raise invalid(f"{field}.target", str(target), "above 0 and below 100 per cent", "Write it like 80.")
    return SpotRule(
        floor_micros=floor, ceiling_micros=ceiling, step_micros=step, target_ppm=int(target * PPM_PER_CENT)
    )
