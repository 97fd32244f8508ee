"""Occupancy of random lives with reservations: its parts sum to the capacity, and each is counted a second way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st
from tests.property.billing.test_conservation_properties import BASE, SHAPES, Life, step

from petahour.billing.reports.kept import kept_time
from petahour.billing.reports.occupancy import PARTS, occupancy
from petahour.model.events import EventKind
from petahour.model.promises import Reservation, ReservationState, reservation_data
from petahour.model.resources import NodeState, Slot
from petahour.model.time import HOUR_MS


@dataclass
class Reserved(Life):
    """A fleet with reservations, and what became of their seats, counted as time passes."""

    promises: dict[str, Reservation] = field(default_factory=dict)
    unused: Counter[tuple[bool, str]] = field(default_factory=Counter)
    on_lent: list[tuple[str, int, int, int]] = field(default_factory=list)  # allocation, from, to, accelerators

    def wait(self, length_ms: int) -> None:
        edges = {at for one in self.promises.values() for at in (one.from_ms, one.to_ms)}
        stops = sorted(at for at in edges if self.now_ms < at < self.now_ms + length_ms)
        end_ms = self.now_ms + length_ms
        for at_ms in (*stops, end_ms):
            self._pass(at_ms - self.now_ms)

    def _pass(self, length_ms: int) -> None:
        kept, lent = self._seats(lent_only=False), self._seats(lent_only=True)
        for node in self.nodes.values():
            if node.state is NodeState.UP:
                idle = {(node.name, index) for index in self.free(node)}
                self.unused[node.rehearsal, node.type] += len(idle & kept) * length_ms
        for name, one in self.live.items():
            places = {(slot.node, index) for slot in one.slots for index in slot.indexes}
            self.on_lent.append((name, self.now_ms, self.now_ms + length_ms, len(places & lent)))
        super().wait(length_ms)

    def _seats(self, *, lent_only: bool) -> set[tuple[str, int]]:
        return {
            (slot.node, index)
            for one in self.promises.values()
            if one.in_force(self.now_ms) and (one.lends or not lent_only)
            for slot in one.seats
            for index in slot.indexes
        }

    def promise(self, name: str, node: str, count: int, after_ms: int, lasts_ms: int, *, lends: bool) -> None:
        if any(slot.node == node for other, one in self.promises.items() if other != name for slot in one.seats):
            return  # One reservation a node: none is promised twice.
        made = Reservation(
            id=name,
            tenant="acme",
            type=SHAPES[node][0],
            nodes=1,
            per_node=count,
            from_ms=self.now_ms + after_ms,
            to_ms=self.now_ms + after_ms + lasts_ms,
            price_micros=1,
            currency="CNY",
            lends=lends,
            seats=(Slot(node=node, indexes=tuple(range(count))),),
            state=ReservationState.CONFIRMED,
        )
        self._put(made)

    def _put(self, made: Reservation) -> None:
        self.promises[made.id] = made
        self.tell(EventKind.RESERVATION_SET, {"reservation": reservation_data(made)})

    def change(self, name: str, *, lends: bool, ends: bool) -> None:
        made = replace(self.promises[name], lends=lends)
        self._put(replace(made, to_ms=max(made.from_ms, self.now_ms)) if ends else made)

    def lent_ams(self) -> int:
        return sum(
            max(0, min(record.end_ms, to_ms) - max(record.start_ms, from_ms)) * count
            for record in self.usage
            if record.billed_ams
            for name, from_ms, to_ms, count in self.on_lent
            if name == record.allocation
        )


@st.composite
def reserved(draw: st.DrawFn) -> Reserved:
    life = Reserved()
    life.register("n1", 3)
    for _ in range(draw(st.integers(3, 25))):
        life.wait(draw(st.sampled_from([0, 1, 7_000, 1_234_567, HOUR_MS, 3 * HOUR_MS])))
        if draw(st.booleans()):
            step(draw, life)
        elif life.promises and draw(st.booleans()):
            name = draw(st.sampled_from(sorted(life.promises)))
            life.change(name, lends=draw(st.booleans()), ends=draw(st.booleans()))
        else:
            life.promise(
                f"res-{draw(st.integers(1, 3))}",
                draw(st.sampled_from(sorted(SHAPES))),
                draw(st.integers(1, 3)),
                draw(st.sampled_from([0, 1, HOUR_MS])),
                draw(st.sampled_from([1, 5_000, 2 * HOUR_MS])),
                lends=draw(st.booleans()),
            )
    life.wait(draw(st.integers(1, 2 * HOUR_MS)))
    return life


@given(reserved())
def test_the_parts_sum_to_the_capacity_and_are_what_was_counted(life: Reserved) -> None:
    found = life.check()
    kept = kept_time(life.events, life.usage, from_ms=BASE, to_ms=life.now_ms)
    report = occupancy(found, life.usage, set(), kept, title="x")
    rows = [row for row in report.rows if row[0] != "all"]
    for row in rows:
        parts, capacity = [int(cell or 0) for cell in row[2 : 2 + len(PARTS)]], row[2 + len(PARTS)]
        assert sum(parts) == capacity
        assert min(parts) >= 0
    total = {part: sum(int(row[2 + place] or 0) for row in rows) for place, part in enumerate(PARTS)}
    assert {key: ams for key, ams in kept.unused.items() if ams} == {key: a for key, a in life.unused.items() if a}
    assert total["unused"] == sum(life.unused.values())
    assert total["unused"] + total["idle"] == life.idle_ams
    assert total["lent"] == life.lent_ams()
    assert total["used"] + total["lent"] == found.total().billed_ams


@given(life=reserved(), data=st.data())
def test_windows_of_kept_time_add_up(life: Reserved, data: st.DataObject) -> None:
    cut_ms = data.draw(st.integers(BASE, life.now_ms))
    whole = kept_time(life.events, life.usage, from_ms=BASE, to_ms=life.now_ms)
    halves = [
        kept_time(life.events, life.usage, from_ms=from_ms, to_ms=to_ms)
        for from_ms, to_ms in ((BASE, cut_ms), (cut_ms, life.now_ms))
    ]
    for pick in ("unused", "lent"):
        assert sum(sum(getattr(half, pick).values()) for half in halves) == sum(getattr(whole, pick).values())
