"""Reservations in replays: what is promised to tenants for a window, seated by the rule of the floor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from petahour.billing.book import unit_price
from petahour.model.errors import ValidationError
from petahour.model.jobs import Tier
from petahour.model.money import Money
from petahour.model.promises import Maintenance, Reservation, ReservationState
from petahour.model.resources import MAX_ACCELERATORS_PER_NODE, MAX_GANG_NODES, Node
from petahour.model.time import HOUR_MS, format_duration, parse_duration
from petahour.scheduler.seating import Floor, Seats, seat
from petahour.simulator.tables import entry_of, numbered, read_tables, refused
from petahour.simulator.trace import Trace

if TYPE_CHECKING:
    from petahour.simulator.money.prices import Prices

MAX_RESERVATIONS = 10_000
Reserved = TypeVar("Reserved", "Promised", Reservation)


@dataclass(frozen=True, kw_only=True, slots=True)
class Promised:
    """``nodes`` x ``per_node`` accelerators of a type are a tenant's from ``from_ms`` to ``until_ms``.

    Times count from the trace's beginning. ``lends``: what is unused of them may be lent to spot. ``price`` is
    that of an accelerator-hour as decimal text; None: the book's for ``reserved`` at its beginning. ``named`` is what
    errors call it.
    """

    tenant: str
    type: str
    nodes: int
    per_node: int
    from_ms: int
    until_ms: int
    lends: bool = False
    price: str | None = None
    named: str = "reservation"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    tenant: Annotated[str, Field(min_length=1, max_length=120)]
    type: Annotated[str, Field(min_length=1, max_length=120)]
    nodes: Annotated[int, Field(ge=1, le=MAX_GANG_NODES)] = 1
    per_node: Annotated[int, Field(ge=1, le=MAX_ACCELERATORS_PER_NODE)]
    begins: str | int = Field(alias="from", default=0)
    until: str | int
    lend: bool = False
    price: str | None = None


def read_reservations(path: Path) -> tuple[Promised, ...]:
    """The ``[[reservation]]`` tables of a TOML file. Raises ValidationError naming file, table, field and remedy."""
    return parse_reservations(read_tables(path, "reservation", "tenant, type, per_node, until"), path.name)


def parse_reservations(tables: object, file: str) -> tuple[Promised, ...]:
    """The reservations of such tables; none when there are none. Raises as ``read_reservations`` does."""
    found = numbered(tables, file, "reservation", MAX_RESERVATIONS)
    return tuple(_promised(table, where) for where, table in found)


def seated(
    wanted: Sequence[Promised], nodes: Sequence[Node], windows: Sequence[Maintenance], prices: Prices | None
) -> tuple[Reservation, ...]:
    """Each with its seats on the fleet, one after another as they were promised, by the rule of the floor.

    Nothing is kept from promises here, as these are made already. Raises ValidationError where there are too few
    accelerators, and where prices are given, for one without a price or an end at a whole hour.
    """
    made: list[Reservation] = []
    for number, one in enumerate(wanted, 1):
        reservation = Reservation(
            id=f"res-{number}",
            tenant=one.tenant,
            type=one.type,
            nodes=one.nodes,
            per_node=one.per_node,
            from_ms=one.from_ms,
            to_ms=one.until_ms,
            price_micros=0 if prices is None else _price(one, prices),
            currency="" if prices is None else prices.currency,
            lends=one.lends,
            state=ReservationState.CONFIRMED,
        )
        floor = Floor(nodes=nodes, held=(), reservations=made, windows=windows, kept_percent=0)
        found = seat(reservation, floor, now_ms=0)
        if not isinstance(found, Seats):
            raise refused(
                one.named,
                f"{one.nodes} x {one.per_node} {one.type}",
                f"{format_duration(found.at_ms)} after the beginning {found.free} of {found.total} {one.type} can "
                "still be promised" + (", but not in this shape" if found.scattered else ""),
                "Reserve fewer, another shape or another window." if found.total else "Reserve a type of the fleet.",
            )
        made.append(replace(reservation, seats=found.slots))
    return tuple(made)


def check_reserved(trace: Trace, reservations: Sequence[Promised]) -> None:
    """Raises ValidationError for jobs of tier reserved that could never run, as nothing is reserved for them."""
    own: dict[str, set[str]] = {}
    for one in reservations:
        own.setdefault(one.tenant, set()).add(one.type)
    missing = Counter(
        job.tenant
        for job in trace.jobs
        if job.tier is Tier.RESERVED
        and (job.tenant not in own or (job.types and own[job.tenant].isdisjoint(job.types)))
    )
    if missing:
        tenant, count = missing.most_common(1)[0]
        raise ValidationError(
            field="reservations",
            value=tenant,
            rule=f"jobs of tier reserved run on their tenant's reservations, and {count} of this tenant's accept no "
            "type that it reserved",
            remedy="Say what is reserved with --reservations FILE or [[reservation]] in the fleet file, or replay "
            "all as spot with --preemptible.",
        )


def unclaimed(trace: Trace, reservations: Iterable[Reserved], *, preemptible: bool) -> list[Reserved]:
    """Those on whose seats no job of the trace can lie as their owner's: a promise to nobody, or a name misspelt.

    ``preemptible``: every job is spot, so nobody has seats.
    """
    wanted: dict[str, set[str]] = {}
    anything = set()
    for job in trace.jobs:
        if job.tier is Tier.RESERVED and not preemptible:
            wanted.setdefault(job.tenant, set()).update(job.types)
            if not job.types:
                anything.add(job.tenant)
    return [one for one in reservations if one.tenant not in anything and one.type not in wanted.get(one.tenant, ())]


def check_claimed(trace: Trace, reservations: Sequence[Promised], *, preemptible: bool) -> None:
    """Raises ValidationError for the first reservation on whose seats no job of the trace can lie."""
    for one in unclaimed(trace, reservations, preemptible=preemptible):
        raise refused(
            f"{one.named}.tenant",
            one.tenant,
            f"a tenant with a job of tier reserved that accepts {one.type}"
            + (", and with --preemptible every job is spot" if preemptible else ""),
            "Correct the tenant or the type, or replay without strictness: its idle seats are then told.",
        )


def _price(one: Promised, prices: Prices) -> int:
    from_ms, until_ms = prices.begins_ms + one.from_ms, prices.begins_ms + one.until_ms
    if until_ms % HOUR_MS:
        raise refused(
            f"{one.named}.until",
            format_duration(one.until_ms),
            "it ends at a whole hour of UTC, as it is charged by the hour",
            "Give a later end, or let the trace begin at a whole hour with --begins.",
        )
    if one.price is not None:
        micros = Money.parse(one.price, prices.currency, field=f"{one.named}.price").micros
        if micros < 0:
            raise refused(f"{one.named}.price", one.price, "zero or more", "Correct the price.")
        return micros
    book = prices.book_at(one.from_ms)
    found = None
    if book is not None:
        found = unit_price(book, tenant=one.tenant, type=one.type, tier=Tier.RESERVED, at_ms=from_ms)
    if found is None:
        raise refused(
            f"{one.named}.price",
            None,
            f"agreed, as the book does not sell {one.type} as reserved then",
            'Give the price of an accelerator-hour, like price = "9.80".',
        )
    return found


def _promised(table: object, where: str) -> Promised:
    fields = "A reservation's fields are tenant, type, nodes, per_node, from, until, lend and price."
    entry = entry_of(_Entry, table, where, fields)
    from_ms = parse_duration(entry.begins, field=f"{where}.from") if entry.begins != 0 else 0
    until_ms = parse_duration(entry.until, field=f"{where}.until")
    if until_ms <= from_ms:
        raise refused(f"{where}.until", entry.until, "after its beginning", "Give a later end.")
    return Promised(
        tenant=entry.tenant,
        type=entry.type,
        nodes=entry.nodes,
        per_node=entry.per_node,
        from_ms=from_ms,
        until_ms=until_ms,
        lends=entry.lend,
        price=entry.price,
        named=where,
    )
