"""Random lives of a fleet keep conservation, a broken one is told; sums are counted a second way as it runs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from petahour.billing.conservation import Conservation, conserve
from petahour.billing.meter import meter
from petahour.model.allocations import Allocation, AllocationState, EndKind
from petahour.model.events import Event, EventKind
from petahour.model.jobs import Tier
from petahour.model.resources import Node, NodeState, Slot
from petahour.model.time import HOUR_MS, hour_floor
from petahour.model.usage import UsageRecord

BASE = 482_000 * HOUR_MS
SHAPES = {"n1": ("cpu", 3, False), "n2": ("cpu", 2, False), "n3": ("h20", 2, False), "r1": ("cpu", 2, True)}


@dataclass
class Life:
    """A fleet as it runs: what it recorded, and sums counted by stepping through time."""

    now_ms: int = BASE
    nodes: dict[str, Node] = field(default_factory=dict)
    live: dict[str, Allocation] = field(default_factory=dict)
    done: list[Allocation] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    usage: list[UsageRecord] = field(default_factory=list)
    held_ams: int = 0
    idle_ams: int = 0
    down_ams: int = 0

    def wait(self, length_ms: int) -> None:
        for node in self.nodes.values():
            free_ams = len(self.free(node)) * length_ms
            self.held_ams += node.accelerators * length_ms - free_ams
            if node.state is NodeState.UP:
                self.idle_ams += free_ams
            else:
                self.down_ams += free_ams
        self.now_ms += length_ms

    def free(self, node: Node) -> list[int]:
        held = {
            index
            for one in self.live.values()
            for slot in one.slots
            if slot.node == node.name
            for index in slot.indexes
        }
        return [index for index in range(node.accelerators) if index not in held]

    def tell(self, kind: EventKind, data: dict[str, object], *, node: str = "", allocation: str = "") -> None:
        self.events.append(
            Event(
                kind=kind,
                at_ms=self.now_ms,
                seq=len(self.events) + 1,
                node=node or None,
                allocation=allocation or None,
                data=data,
            )
        )

    def register(self, name: str, accelerators: int) -> None:
        type_name, _, rehearsal = SHAPES[name]
        known = self.nodes.get(name)
        if known and len(self.free(known)) < known.accelerators:
            accelerators = known.accelerators
        node = Node(
            name=name, pool="p", engine="local", type=type_name, accelerators=accelerators, rehearsal=rehearsal
        )
        self.nodes[name] = replace(node, state=known.state) if known else node
        data: dict[str, object] = {
            "type": type_name,
            "accelerators": accelerators,
            "rehearsal": rehearsal,
            "pool": "p",
        }
        self.tell(EventKind.NODE_REGISTERED, data, node=name)

    def turn(self, name: str, state: NodeState) -> None:
        before = self.nodes[name]
        self.nodes[name] = replace(before, state=state)
        self.tell(EventKind.NODE_STATE, {"before": before.state, "after": state, "cause": "test"}, node=name)

    def place(self, names: list[str], count: int) -> None:
        slots = [Slot(node=one, indexes=tuple(self.free(self.nodes[one])[:count])) for one in sorted(set(names))]
        type_name, _, rehearsal = SHAPES[names[0]]
        name = f"a{len(self.live) + len(self.done)}"
        self.live[name] = Allocation(
            id=name,
            job=f"job-{name}",
            tenant="acme",
            project="llm",
            attempt=1,
            type=type_name,
            tier=Tier.SPOT,
            engine="local",
            slots=tuple(slots),
            rehearsal=rehearsal,
            borrowed=False,
            price_book="b",
            price_micros=1,
            currency="CNY",
            state=AllocationState.STARTING,
            placed_ms=self.now_ms,
        )
        shown = [{"node": slot.node, "indexes": list(slot.indexes)} for slot in slots]
        self.tell(EventKind.JOB_PLACED, {"slots": shown, "type": type_name, "rehearsal": rehearsal}, allocation=name)

    def start(self, name: str) -> None:
        self.live[name] = replace(self.live[name], state=AllocationState.RUNNING, started_ms=self.now_ms)

    def end(self, name: str, kind: EndKind) -> None:
        one = replace(self.live.pop(name), state=AllocationState.ENDED, ended_ms=self.now_ms, end_kind=kind)
        self.done.append(self.metered(one, self.now_ms))
        self.tell(EventKind.JOB_ENDED, {}, allocation=name)

    def metered(self, one: Allocation, until_ms: int) -> Allocation:
        records = meter(one, until_ms=until_ms)
        self.usage += records
        return replace(one, metered_ms=records[-1].end_ms) if records else one

    def close_hours(self) -> None:
        for name, one in self.live.items():
            self.live[name] = self.metered(one, hour_floor(self.now_ms))

    def check(self, from_ms: int = BASE, to_ms: int | None = None) -> Conservation:
        """The window's check. Stored allocations are those of now, so only a window up to now can meet them."""
        return conserve(
            events=self.events,
            usage=self.usage,
            from_ms=from_ms,
            to_ms=self.now_ms if to_ms is None else to_ms,
            allocations=[*self.done, *self.live.values()] if to_ms is None else [],
        )


def step(draw: st.DrawFn, life: Life) -> None:
    """One thing happens, if it can."""
    action = draw(st.sampled_from(["register", "turn", "place", "place", "place", "start", "end", "end", "close"]))
    if action == "register":
        life.register(draw(st.sampled_from(sorted(SHAPES))), draw(st.integers(1, 4)))
    elif action == "turn" and life.nodes:
        life.turn(draw(st.sampled_from(sorted(life.nodes))), draw(st.sampled_from(list(NodeState))))
    elif action == "place":
        able = [one for one in life.nodes.values() if one.state is NodeState.UP and life.free(one)]
        if able:
            first = draw(st.sampled_from(able))
            alike = [one for one in able if SHAPES[one.name][::2] == SHAPES[first.name][::2]]
            chosen = [first, draw(st.sampled_from(alike))]
            count = draw(st.integers(1, min(len(life.free(one)) for one in chosen)))
            life.place([one.name for one in chosen], count)
            if draw(st.booleans()):
                life.wait(draw(st.sampled_from([0, 3_000])))
                life.start(max(life.live, key=lambda name: life.live[name].placed_ms))
    elif action == "start":
        waiting = sorted(name for name, one in life.live.items() if one.started_ms is None)
        if waiting:
            life.start(draw(st.sampled_from(waiting)))
    elif action == "end" and life.live:
        life.end(draw(st.sampled_from(sorted(life.live))), draw(st.sampled_from(list(EndKind))))
    elif action == "close":
        life.close_hours()


@st.composite
def lives(draw: st.DrawFn) -> Life:
    life = Life()
    life.register("n1", 3)
    for _ in range(draw(st.integers(3, 30))):
        life.wait(draw(st.sampled_from([0, 1, 7_000, 1_234_567, HOUR_MS, 3 * HOUR_MS])))
        step(draw, life)
    life.wait(draw(st.integers(1, 2 * HOUR_MS)))
    return life


@given(lives())
def test_every_life_is_conserved_and_counted(life: Life) -> None:
    result = life.check()
    assert result.ok, result.faults
    total = result.total()
    assert (total.idle_ams, total.down_ams) == (life.idle_ams, life.down_ams)
    assert total.billed_ams + total.waived_ams + total.open_ams == life.held_ams
    assert total.capacity_ams == life.held_ams + life.idle_ams + life.down_ams
    assert total.billed_ams == sum(record.billed_ams for record in life.usage)


@given(life=lives(), data=st.data())
def test_windows_add_up_to_the_whole(life: Life, data: st.DataObject) -> None:
    cut_ms = data.draw(st.integers(BASE, life.now_ms))
    before, after = life.check(BASE, cut_ms), life.check(cut_ms)
    assert before.ok, before.faults
    assert after.ok, after.faults
    assert before.total().capacity_ams + after.total().capacity_ams == life.check().total().capacity_ams
    assert before.total().billed_ams + after.total().billed_ams == life.check().total().billed_ams


@given(life=lives(), data=st.data())
def test_a_lost_record_is_told(life: Life, data: st.DataObject) -> None:
    if not life.usage:
        if life.free(life.nodes["n1"]):
            life.place(["n1"], 1)
        life.wait(5)
        life.end(sorted(life.live)[0], EndKind.SUCCEEDED)
    life.usage.remove(data.draw(st.sampled_from(life.usage)))
    assert not life.check().ok


@given(life=lives(), data=st.data())
def test_a_double_placement_is_told(life: Life, data: st.DataObject) -> None:
    everyone = [
        one for one in (*life.done, *life.live.values()) if one.ended_ms is None or one.ended_ms > one.placed_ms
    ]
    if not everyone:
        assert life.check().ok
        return
    twin = data.draw(st.sampled_from(everyone))
    slots = [{"node": slot.node, "indexes": list(slot.indexes)} for slot in twin.slots]
    placed = {"slots": slots, "type": twin.type, "rehearsal": twin.rehearsal}
    life.events.append(Event(kind=EventKind.JOB_PLACED, at_ms=twin.placed_ms, allocation="twin", data=placed))
    result = life.check()
    if twin.placed_ms < life.now_ms:
        assert any("held twice" in fault for fault in result.faults)
