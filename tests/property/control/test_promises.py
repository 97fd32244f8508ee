"""Promises in time, whatever happens on a floor: who reserved starts at once, and nobody runs into maintenance."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.property.control.floor import A100, OPERATOR, HandPlane
from tests.property.control.test_record_and_replay import play

from petahour.control.audit.stream import audit_log
from petahour.control.fleet import change_state, tx_node
from petahour.control.reservation_changes import end_reservation, lend
from petahour.control.reservations import Wish, reserve
from petahour.model.errors import ConflictError
from petahour.model.jobs import JobState
from petahour.model.promises import Reservation, WindowState
from petahour.model.resources import NodeState
from petahour.model.time import HOUR_MS, MINUTE_MS, SECOND_MS
from petahour.simulator.recording import retrace

JOBS = st.fixed_dictionaries(
    {
        "tenant": st.sampled_from(["beta", "coop", "acme"]),
        "run_ms": st.sampled_from([20 * SECOND_MS, 5 * MINUTE_MS, 3 * HOUR_MS]),
        "types": st.sampled_from([("cpu",), (A100,), (A100, "cpu")]),
        "nodes": st.sampled_from([1, 1, 2]),
        "accelerators_per_node": st.sampled_from([1, 2, 4]),
        "tier": st.sampled_from(["spot", "on-demand"]),
        "walltime": st.sampled_from([None, "1m", "40m", "6h"]),
        "checkpoint_dir": st.sampled_from([None, "ckpt"]),
        "waits_for": st.none(),
    }
)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), JOBS),
        st.tuples(st.just("submit"), JOBS),
        st.tuples(st.just("step"), st.sampled_from([500, 30 * SECOND_MS, 20 * MINUTE_MS])),
        st.tuples(st.just("quota"), st.tuples(st.sampled_from(["beta", "coop"]), st.just("cpu"), st.just(8))),
        st.tuples(st.just("kill"), st.none()),
    ),
    max_size=12,
)


@contextmanager
def plane() -> Iterator[HandPlane]:
    with tempfile.TemporaryDirectory() as home:
        made = HandPlane(Path(home))
        yield made
        log = made.log()
        assert list(audit_log(log)) == []
        assert retrace(log).difference is None
        made.close()


def promise(made: HandPlane, type_name: str, nodes: int, per_node: int, after_h: int, lends: bool) -> Reservation:
    hour_ms = made.clock.at_ms - made.clock.at_ms % HOUR_MS + HOUR_MS
    wish = Wish(
        tenant="acme",
        type=type_name,
        nodes=nodes,
        per_node=per_node,
        from_ms=hour_ms + after_h * HOUR_MS,
        to_ms=hour_ms + (after_h + 4) * HOUR_MS,
        price="0.01",
        lends=lends,
    )
    return reserve(made.context, OPERATOR, wish)


@settings(max_examples=10, deadline=None)
@given(
    before=ACTIONS,
    between=ACTIONS,
    after=ACTIONS,
    type_name=st.sampled_from(["cpu", A100]),
    shape=st.sampled_from([(1, 1), (1, 3), (1, 4), (2, 2), (2, 4)]),
    after_h=st.integers(0, 2),
    lends=st.booleans(),
)
def test_a_promise_that_was_made_is_kept(
    before: list[tuple[str, object]],
    between: list[tuple[str, object]],
    after: list[tuple[str, object]],
    type_name: str,
    shape: tuple[int, int],
    after_h: int,
    lends: bool,
) -> None:
    with plane() as made:
        made.submit("beta", run_ms=SECOND_MS)
        made.step(100)
        play(made, before)
        try:
            kept = promise(made, type_name, *shape, after_h, lends)
        except ConflictError:
            assume(False)  # It could not be promised, and was not.
        made.step(1)
        play(made, between)
        made.step(max(1, kept.from_ms - made.clock.at_ms))
        play(made, after)
        assume(made.clock.at_ms < kept.to_ms - HOUR_MS)
        nodes, per_node = shape
        job = made.submit(
            "acme", tier="reserved", types=(type_name,), nodes=nodes, accelerators_per_node=per_node, run_ms=HOUR_MS
        )
        for _ in range(4):
            made.step(SECOND_MS)
        assert made.job(job.id).state is JobState.RUNNING


LENDS = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), JOBS.map(lambda job: {**job, "tier": "spot"})),
        st.tuples(st.just("submit"), JOBS),
        st.tuples(st.just("step"), st.sampled_from([500, 30 * SECOND_MS, 20 * MINUTE_MS, 3 * HOUR_MS])),
        st.tuples(st.just("step"), st.sampled_from([500, 20 * MINUTE_MS])),
        st.tuples(st.just("lend"), st.tuples(st.sampled_from(["acme", "coop"]), st.booleans())),
        st.tuples(st.just("end"), st.sampled_from(["acme", "coop"])),
        st.tuples(st.just("down"), st.sampled_from(["cpu-1", "cpu-2", "show-1"])),
        st.tuples(st.just("up"), st.sampled_from(["cpu-1", "cpu-2", "show-1"])),
        st.tuples(st.just("kill"), st.none()),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(actions=LENDS, count=st.integers(1, 4), share=st.sampled_from(["0.0001", "33.3333", "40", "100"]))
def test_whatever_happens_on_lent_seats_is_shared_to_the_micro_unit(
    actions: list[tuple[str, object]], count: int, share: str
) -> None:
    """What ``plane`` asks at the end: the auditor finds every share due, computed in fractions, and no other."""
    with plane() as made:
        made.step(100)
        kept = {}
        for tenant, type_name in (("acme", "cpu"), ("coop", "cpu"), ("acme", A100)):
            wish = Wish(tenant=tenant, type=type_name, count=count, months=1, price="0.01", lends=True, share=share)
            kept[tenant] = reserve(made.context, OPERATOR, wish)
        made.step(1)
        made.submit("beta", tier="spot", accelerators_per_node=4, nodes=2, run_ms=HOUR_MS, grace="10s")
        made.step(1)
        for action, value in actions:
            with suppress(ConflictError):  # It is over already, or the node is as it shall be.
                if action == "lend":
                    tenant, lends = value  # type: ignore[misc]
                    lend(made.context, OPERATOR, kept[tenant].id, lends=lends)
                elif action == "end":
                    end_reservation(made.context, OPERATOR, kept[str(value)].id)
                elif action in ("down", "up"):
                    state = NodeState.DOWN if action == "down" else NodeState.UP
                    with made.store.write() as tx:
                        node = tx_node(tx, str(value))
                        change_state(tx, node, state, "test", "test", made.clock.at_ms)
                else:
                    play(made, [(action, value)])
            made.step(1)
        made.step(HOUR_MS)
        made.step(SECOND_MS)


@settings(max_examples=8, deadline=None)
@given(
    before=ACTIONS,
    between=ACTIONS,
    nodes=st.sampled_from(["cpu-1", "cpu-*", "show-2", "*"]),
    after_ms=st.sampled_from([0, 90 * SECOND_MS, 31 * MINUTE_MS, 2 * HOUR_MS]),
    empties=st.booleans(),
)
def test_nodes_are_empty_in_their_windows_but_for_what_was_there_before_and_could_not_move(
    before: list[tuple[str, object]],
    between: list[tuple[str, object]],
    nodes: str,
    after_ms: int,
    empties: bool,
) -> None:
    with plane() as made:
        made.submit("beta", run_ms=SECOND_MS)
        made.step(100)
        play(made, before)
        there = {job for job in made.context.live.active if made.job(job).spec.tier != "spot"}
        made.maintain(nodes, after_ms, HOUR_MS, empties=empties)
        made.step(1)
        (window,) = made.context.live.windows.values()
        play(made, between)
        assume(made.clock.at_ms < window.to_ms - MINUTE_MS)
        if made.clock.at_ms < window.from_ms:
            made.step(max(1, window.from_ms - 40 * SECOND_MS - made.clock.at_ms))
            for _ in range(3):
                made.step(SECOND_MS)
            made.step(max(1, window.from_ms - made.clock.at_ms))
        for _ in range(3):
            made.step(SECOND_MS)
        live = made.context.live
        assert live.windows[window.id].state is WindowState.OPEN
        assert {live.nodes[name].state for name in window.nodes} == {NodeState.DRAINING}
        held = {one.job for one in live.allocations.values() for slot in one.slots if slot.node in window.nodes}
        assert held <= (set() if empties else there)
        made.step(window.to_ms - made.clock.at_ms)
        made.step(1)
        assert {made.context.live.nodes[name].state for name in window.nodes} == {NodeState.UP}
