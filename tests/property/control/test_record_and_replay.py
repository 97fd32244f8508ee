"""Whatever happens on a floor, crashes included: every recorded pass, made again, decides the same."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.control.floor import A100, HandPlane

from petahour.control.follow import Follower
from petahour.control.outlook import outlook
from petahour.control.settings import Settings
from petahour.model.errors import ImpossibleError
from petahour.model.time import HOUR_MS, MINUTE_MS, SECOND_MS
from petahour.simulator.recording import retrace

TENANTS = st.sampled_from(["acme", "beta", "coop"])
JOBS = st.fixed_dictionaries(
    {
        "tenant": TENANTS,
        "run_ms": st.sampled_from([500, 20 * SECOND_MS, 5 * MINUTE_MS, 3 * HOUR_MS]),
        "kind": st.sampled_from(["succeeded", "failed", "lost"]),
        "types": st.sampled_from([("cpu",), (A100,), (A100, "cpu")]),
        "nodes": st.sampled_from([1, 1, 2]),
        "accelerators_per_node": st.sampled_from([1, 2, 4]),
        "tier": st.sampled_from(["spot", "spot", "on-demand"]),
        "priority": st.sampled_from([0, 0, 5]),
        "walltime": st.sampled_from([None, "1m", "6h"]),
        "retries": st.sampled_from([0, 1]),
        "checkpoint_dir": st.sampled_from([None, "ckpt"]),
        "name": st.sampled_from(["train", "eval"]),
        "array": st.sampled_from([None, None, "1-3%2"]),
        "waits_for": st.sampled_from([None, None, "after_ok", "after_any"]),
    }
)
NODES = st.sampled_from(["cpu-1", "cpu-*", "show-2", "*"])
SPANS = st.sampled_from([MINUTE_MS, 30 * MINUTE_MS, 7 * HOUR_MS])
ACTIONS = st.one_of(
    st.tuples(st.just("submit"), JOBS),
    st.tuples(st.just("submit"), JOBS),
    st.tuples(st.just("submit"), JOBS),
    st.tuples(st.just("step"), st.sampled_from([1, 500, 30 * SECOND_MS, 20 * MINUTE_MS, 3 * HOUR_MS])),
    st.tuples(st.just("step"), st.sampled_from([1, 500, 30 * SECOND_MS, 20 * MINUTE_MS, 3 * HOUR_MS])),
    st.tuples(st.just("cancel"), st.integers(0, 40)),
    st.tuples(st.just("look"), st.integers(0, 40)),
    st.tuples(st.just("drain"), st.sampled_from(["cpu-1", "show-2"])),
    st.tuples(st.just("resume"), st.sampled_from(["cpu-1", "show-2"])),
    st.tuples(st.just("quota"), st.tuples(TENANTS, st.sampled_from(["cpu", A100]), st.sampled_from([0, 2, 8]))),
    st.tuples(st.just("credit"), TENANTS),
    st.tuples(st.just("maintain"), st.tuples(NODES, SPANS, SPANS, st.booleans())),
    st.tuples(st.just("kill"), st.none()),
    st.tuples(st.just("forget"), st.none()),
)


@contextmanager
def plane(**limits: object) -> Iterator[HandPlane]:
    with tempfile.TemporaryDirectory() as home:
        made = HandPlane(Path(home), Settings(**limits))  # type: ignore[arg-type]
        yield made
        made.close()


def play(made: HandPlane, actions: list[tuple[str, object]]) -> None:
    """Do what was drawn, with a step after each."""
    jobs: list[str] = []
    for number, (action, value) in enumerate(actions):
        if action == "submit":
            drawn = dict(value)  # type: ignore[call-overload]
            waits_for = drawn.pop("waits_for")
            if waits_for and jobs:
                drawn["tenant"] = made.job(jobs[-1]).tenant
                drawn[waits_for] = (jobs[-1],)
            with suppress(ImpossibleError):  # What it would wait for has failed.
                jobs.append(made.submit(**drawn).id)
        elif action == "cancel" and jobs:
            made.cancel(jobs[value % len(jobs)])  # type: ignore[operator]
        elif action == "drain":
            made.drain(str(value))
        elif action == "resume":
            made.resume(str(value))
        elif action == "quota":
            tenant, type_name, nominal = value  # type: ignore[misc]
            made.quota(tenant, type_name, nominal, 8)
        elif action == "maintain":
            nodes, after_ms, for_ms, empties = value  # type: ignore[misc]
            made.maintain(nodes, after_ms, for_ms, empties=empties)
        elif action == "credit":
            made.credit(str(value), "500.00", f"pay-{number}")
        elif action == "look" and jobs:
            outlook(made.context, made.job(jobs[value % len(jobs)]))  # type: ignore[operator]
        elif action == "kill":
            made.start()
        elif action == "forget":
            made.reconciler.reset()
        made.step(value if action == "step" else 100)  # type: ignore[arg-type]


@settings(max_examples=12, deadline=None)
@given(actions=st.lists(ACTIONS, min_size=10, max_size=50), window=st.sampled_from([20, 100_000]))
def test_every_pass_is_made_again_alike(actions: list[tuple[str, object]], window: int) -> None:
    with plane(memory_events=window) as made:
        made.submit()
        made.step(100)
        play(made, actions)
        log = made.log()
        again = retrace(log)
        assert again.difference is None
        assert again.placements == sum(len(event.data.get("places", ())) for event in log)  # type: ignore[arg-type]
        assert again.placements >= 1


@settings(max_examples=8, deadline=None)
@given(actions=st.lists(ACTIONS, min_size=10, max_size=40))
def test_who_starts_again_knows_what_was_known(actions: list[tuple[str, object]]) -> None:
    lasting = [action for action in actions if action[0] not in ("kill", "forget")]
    with plane() as made:
        play(made, lasting)
        made.context.live.refresh(made.store, made.context.settings)
        before = made.context.live.follower
        made.start()
        made.context.live.refresh(made.store, made.context.settings)
        after = made.context.live.follower
        now_ms = made.clock.at_ms
        assert knowledge(after, now_ms) == knowledge(before, now_ms)


def knowledge(follower: Follower, now_ms: int) -> list[object]:
    """All that a pass looks at, but for when tables and expectations were last made anew."""
    state = follower.state
    waiting = [
        (job._replace(sweep=None, ask=None), job.ask.shape, job.sweep and (job.sweep.ended, job.sweep.logs))  # type: ignore[arg-type]
        for job in sorted(state.lines.every(), key=lambda job: job.seq)
    ]
    running = [
        (name, one.grants, one.ends_ms, one.stopping, one.stop_for, one.borrowed, one.job.attained_ms)
        for name, one in sorted(state.running.items())
    ]
    learned = state.expectation
    kinds = {key: kind.ended for key, kind in learned._kinds.items() if kind.weight}
    usage = {tenant: state.service.of(tenant, now_ms) for tenant in follower.currencies}
    free = [[pool.free_mask(node) for node in range(len(pool.names))] for pool in state.room.pools]
    money = dict(follower.available_micros)
    return [waiting, running, kinds, learned.mean_ms, usage, free, money, follower.quotas, follower.currencies]
