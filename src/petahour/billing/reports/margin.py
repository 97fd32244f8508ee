"""Margin by type: revenue less energy and depreciation of the whole fleet of that type, used or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from petahour.billing.reports.revenue import Earned
from petahour.billing.reports.table import Cell, Column, Holds, Report, share_ppm
from petahour.model.money import MICROS
from petahour.model.time import HOUR_MS

HOURS_A_YEAR = 8_760
_COLUMNS = (
    Column(name="type", title="TYPE"),
    Column(name="currency", title="CURRENCY"),
    Column(name="capacity", title="CAPACITY", holds=Holds.HOURS),
    Column(name="busy", title="BUSY", holds=Holds.HOURS),
    Column(name="revenue", title="REVENUE", holds=Holds.MONEY),
    Column(name="energy", title="KWH", holds=Holds.ENERGY),
    Column(name="power_cost", title="POWER", holds=Holds.MONEY),
    Column(name="depreciation", title="DEPRECIATION", holds=Holds.MONEY),
    Column(name="margin", title="MARGIN", holds=Holds.MONEY),
    Column(name="rate", title="OF REVENUE", holds=Holds.SHARE),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """What the margin assumes, in the report's currency. Decimals, as people state them.

    ``busy_draw`` and ``idle_draw`` are parts of a chip's power limit; ``host_part`` is what hosts and network draw
    per watt of the chips, ``facility`` the watts at the meter per watt of the machines. ``dollar`` is the price of
    one US dollar, which the catalogue's purchase prices are in; None leaves depreciation out.
    """

    currency: str
    energy_per_kwh: Decimal
    dollar: Decimal | None
    years: Decimal = Decimal(4)
    host_part: Decimal = Decimal("0.30")
    facility: Decimal = Decimal("1.20")
    busy_draw: Decimal = Decimal("0.95")
    idle_draw: Decimal = Decimal("0.30")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """The time of one type's real accelerators in a while, with what the catalogue states of one (None: nothing).

    ``busy_ams`` was held by jobs, ``up_ams`` was held or idle; what was down draws nothing, and depreciates too.
    """

    busy_ams: int
    up_ams: int
    capacity_ams: int
    power_w: float | None
    purchase_usd: float | None


def margin(earned: Iterable[Earned], fleet: Mapping[str, Fleet], costs: Costs, month: str) -> Report:
    """One row a type with revenue in the report's currency or accelerators in the fleet, and one of all.

    Energy: limit x (busy hours x busy draw + idle hours x idle draw) x (1 + host part) x facility. Depreciation:
    purchase price / (years x 8,760) for every hour of capacity. Without a figure of the catalogue there is no margin.
    """
    revenue: dict[str, int] = {}
    for one in earned:
        if one.currency == costs.currency:
            revenue[one.type] = revenue.get(one.type, 0) + one.revenue_micros
    rows = [
        _row(name, fleet.get(name), revenue.get(name, 0), costs) for name in sorted(revenue.keys() | fleet.keys())
    ]
    return Report(
        name="margin",
        title=f"Margin of {month} in {costs.currency}",
        columns=_COLUMNS,
        rows=(*rows, _total(rows, costs.currency)),
        labels=("type",),
        series=("revenue", "power_cost", "depreciation", "margin"),
        notes=_assumptions(costs),
    )


def _assumptions(costs: Costs) -> tuple[str, str]:
    power = (
        f"energy {costs.energy_per_kwh} {costs.currency} a kWh; {costs.busy_draw} of the limit drawn when busy, "
        f"{costs.idle_draw} when idle; {costs.host_part} more for hosts, times {costs.facility} for the building"
    )
    if costs.dollar is None:
        return power, "depreciation left out: no price of the US dollar was given"
    rate = f"{costs.dollar} {costs.currency} a US dollar"
    return power, f"depreciation of the catalogue's purchase prices at {rate} over {costs.years} years"


def _row(name: str, fleet: Fleet | None, revenue_micros: int, costs: Costs) -> tuple[Cell, ...]:
    if fleet is None:
        return (name, costs.currency, 0, 0, revenue_micros, None, None, None, None, None)
    energy = _energy_kwh(fleet, costs)
    power = None if energy is None else _micros(energy * costs.energy_per_kwh)
    worn = _depreciation(fleet, costs)
    margin_micros = None if power is None or worn is None else revenue_micros - power - worn
    return (
        name,
        costs.currency,
        fleet.capacity_ams,
        fleet.busy_ams,
        revenue_micros,
        None if energy is None else int(energy * 1_000),
        power,
        worn,
        margin_micros,
        None if margin_micros is None else share_ppm(margin_micros, revenue_micros),
    )


def _energy_kwh(fleet: Fleet, costs: Costs) -> Decimal | None:
    if fleet.power_w is None:
        return None
    busy = Decimal(fleet.busy_ams) / HOUR_MS * costs.busy_draw
    idle = Decimal(fleet.up_ams - fleet.busy_ams) / HOUR_MS * costs.idle_draw
    return Decimal(str(fleet.power_w)) / 1_000 * (busy + idle) * (1 + costs.host_part) * costs.facility


def _depreciation(fleet: Fleet, costs: Costs) -> int | None:
    if fleet.purchase_usd is None or costs.dollar is None:
        return None
    an_hour = Decimal(str(fleet.purchase_usd)) * costs.dollar / (costs.years * HOURS_A_YEAR)
    return _micros(an_hour * fleet.capacity_ams / HOUR_MS)


def _total(rows: list[tuple[Cell, ...]], currency: str) -> tuple[Cell, ...]:
    """Sums of what is known; the margin is that of the types that have one, and its rate that of their revenue."""
    sums = [_sum(row[place] for row in rows) for place in range(2, 9)]
    whole = _sum(row[4] for row in rows if row[8] is not None)
    rate = None if sums[6] is None or whole is None else share_ppm(sums[6], whole)
    return ("all", currency, *sums, rate)


def _sum(cells: Iterable[Cell]) -> int | None:
    known = [cell for cell in cells if isinstance(cell, int)]
    return sum(known) if known else None


def _micros(amount: Decimal) -> int:
    return int((amount * MICROS).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
