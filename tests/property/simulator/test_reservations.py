"""Reservations in replays: seats are kept for their owner, whatever comes, and each hour of them is charged once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from petahour.cli.replay_notes import notes_of
from petahour.model.errors import ValidationError
from petahour.model.events import Event, EventKind
from petahour.model.jobs import Tier
from petahour.model.promises import Reservation, ReservationState, reservation_data
from petahour.scheduler.policies import POLICIES
from petahour.simulator.audit import audit
from petahour.simulator.fleet import plain_nodes
from petahour.simulator.generate import Fleet
from petahour.simulator.money.prices import read_prices
from petahour.simulator.recording import read_recording
from petahour.simulator.recording import trace_of as recorded
from petahour.simulator.replay import Replay, replay
from petahour.simulator.reservations import Promised, parse_reservations, seated, unclaimed
from petahour.simulator.result import NEVER, Outcome, Result
from petahour.simulator.scenario import World, billed, check_possible, jobs_for, replay_in
from petahour.simulator.trace import Trace, TraceJob

NODES, WIDTH = 3, 4
HOUR_MS = 3_600_000
TYPE = plain_nodes(1, 1)[0].type
TIERS = st.sampled_from([Tier.RESERVED, Tier.ON_DEMAND, Tier.ON_DEMAND, Tier.SPOT])
Row = tuple[int, int, int, Tier, int, bool]
JOBS = st.lists(
    st.tuples(
        st.integers(0, 6 * HOUR_MS),
        st.integers(0, 2 * HOUR_MS),
        st.integers(1, 12),
        TIERS,
        st.integers(0, 1),
        st.booleans(),
    ),
    min_size=1,
    max_size=25,
)
PROMISES = st.lists(
    st.builds(
        lambda tenant, nodes, per_node, begins, length, lends: Promised(
            tenant=tenant,
            type=TYPE,
            nodes=nodes,
            per_node=per_node,
            from_ms=begins * HOUR_MS,
            until_ms=(begins + length) * HOUR_MS,
            lends=lends,
        ),
        st.sampled_from("ab"),
        st.integers(1, 2),
        st.integers(1, WIDTH),
        st.integers(0, 5),
        st.integers(1, 6),
        st.booleans(),
    ),
    min_size=1,
    max_size=3,
)


def trace_of(rows: list[Row]) -> Trace:
    jobs = [
        TraceJob(
            row=number,
            id=str(number),
            tenant="ab"[owner],
            submit_ms=submit,
            duration_ms=duration,
            accelerators=accelerators,
            tier=tier,
            walltime_ms=duration + 60_000 if told else None,
        )
        for number, (submit, duration, accelerators, tier, owner, told) in enumerate(sorted(rows))
    ]
    return Trace(name="drawn", jobs=jobs)


def seats_of(wanted: list[Promised]) -> tuple[Reservation, ...]:
    """As many of them as the fleet can promise."""
    made: list[Promised] = []
    for one in wanted:
        try:
            seated([*made, one], plain_nodes(NODES, WIDTH), [], None)
        except ValidationError:
            continue
        made.append(one)
    return seated(made, plain_nodes(NODES, WIDTH), [], None)


def run(trace: Trace, policy: str, promised: list[Promised]) -> Result:
    nodes = plain_nodes(NODES, WIDTH)
    return replay(trace, Replay(policy=POLICIES[policy], nodes=nodes, reservations=seats_of(promised)))


def promise(
    tenant: str = "a", *, lends: bool = False, begins: int = 1, until: int = 3, nodes: int = 3, per_node: int = 4
) -> Promised:
    return Promised(
        tenant=tenant,
        type=TYPE,
        nodes=nodes,
        per_node=per_node,
        from_ms=begins * HOUR_MS,
        until_ms=until * HOUR_MS,
        lends=lends,
    )


@pytest.mark.parametrize("name", list(POLICIES))
@settings(max_examples=25, deadline=None)
@given(rows=JOBS, promised=PROMISES)
# Spot that was stopped for the owner was queued before it.
@example(
    rows=[(0, 2, 8, Tier.SPOT, 0, False), (1, 0, 1, Tier.RESERVED, 1, False)],
    promised=[
        promise(begins=0, until=1, nodes=1, per_node=1),
        promise(begins=0, until=1, nodes=1, per_node=1),
        promise("b", begins=0, until=1, nodes=1, per_node=3, lends=True),
    ],
)
def test_whatever_is_promised_is_kept_and_the_rest_ends(name: str, rows: list[Row], promised: list[Promised]) -> None:
    trace = trace_of(rows)
    result = run(trace, name, promised)
    assert audit(result) == []
    if name not in ("fifo", "sjf"):  # where a reserved job without seats lets nobody past
        others = [job.row for job in trace.jobs if job.tier is not Tier.RESERVED]
        assert (result.jobs.end_ms[others] != NEVER).all()
    again = run(trace, name, promised)
    assert (again.runs.start_ms == result.runs.start_ms).all()


def test_the_owner_finds_its_seats_and_others_wait_till_the_window_is_over() -> None:
    rows: list[Row] = [
        (0, HOUR_MS // 2, 4, Tier.ON_DEMAND, 1, False),  # tells nobody how long it runs
        (1, 10 * HOUR_MS, 12, Tier.SPOT, 1, False),
        (2, HOUR_MS // 2, 2, Tier.ON_DEMAND, 1, True),
        (2 * HOUR_MS, HOUR_MS // 2, 4, Tier.RESERVED, 0, False),
    ]
    result = run(trace_of(rows), "petahour", [promise()])
    assert audit(result) == []
    # The short one displaces the spot job; who told no walltime waits for the end of the window.
    assert result.jobs.start_ms.tolist() == [3 * HOUR_MS, 1, 2, 2 * HOUR_MS]
    seats = result.runs.seated_until_ms[result.runs.job == 3]
    assert seats.tolist() == [3 * HOUR_MS]
    assert (result.runs.seated_until_ms[result.runs.job != 3] == NEVER).all()


def test_spot_lies_on_idle_seats_where_the_owner_lends_and_yields_to_it() -> None:
    rows: list[Row] = [
        (HOUR_MS + 1, HOUR_MS, 12, Tier.SPOT, 1, False),
        (HOUR_MS + HOUR_MS // 2, HOUR_MS // 4, 12, Tier.RESERVED, 0, False),
    ]
    lent = run(trace_of(rows), "petahour", [promise(lends=True)])
    kept = run(trace_of(rows), "petahour", [promise()])
    assert lent.jobs.start_ms.tolist() == [HOUR_MS + 1, 3 * HOUR_MS // 2]
    assert lent.jobs.preemptions.tolist() == [1, 0]
    assert kept.jobs.start_ms.tolist() == [3 * HOUR_MS, 3 * HOUR_MS // 2]
    for result in (lent, kept):
        assert audit(result) == []
    # What one owner lends the other does not.
    greedy = replace(lent, reservations=kept.reservations)
    assert {finding.rule for finding in audit(greedy)} == {"seats are nobody else's in their window"}


def test_the_audit_finds_what_breaks_a_promise() -> None:
    rows: list[Row] = [
        (HOUR_MS, HOUR_MS, 4, Tier.RESERVED, 0, False),
        (0, HOUR_MS // 2, 12, Tier.ON_DEMAND, 1, True),
    ]
    sound = run(trace_of(rows), "drf", [promise()])
    (kept,) = sound.reservations

    def told(result: Result) -> set[str]:
        return {finding.rule for finding in audit(result)}

    assert told(sound) == set()
    strangers = replace(kept, tenant="b")
    assert told(replace(sound, reservations=[strangers])) >= {"seats are for their owner's reserved work"}
    assert told(replace(sound, reservations=[kept, replace(kept, id="other", from_ms=0)])) >= {
        "no seat is promised twice"
    }
    assert told(replace(sound, reservations=[replace(kept, seats=kept.seats[:2])])) >= {
        "a reservation has all its seats, of its type"
    }
    late = replace(sound.jobs, start_ms=np.array([NEVER if one == HOUR_MS else one for one in sound.jobs.start_ms]))
    assert (sound.runs.seated_until_ms != NEVER).sum() == 1
    unseated = replace(sound.runs, seated_until_ms=np.full(len(sound.runs.job), NEVER))
    assert "reserved work finds its seats" in told(replace(sound, jobs=late, runs=unseated))


def test_reserved_work_without_a_reservation_is_refused_by_name() -> None:
    trace = trace_of([(0, HOUR_MS, 4, Tier.RESERVED, 1, False)])
    fleet = Fleet(nodes=plain_nodes(NODES, WIDTH))
    with pytest.raises(ValidationError, match=r"reservations: .* 1 of this tenant's .*'b'.*--reservations FILE"):
        jobs_for(trace, fleet, World(), seed=0)
    assert jobs_for(trace, fleet, World(preemptible=True), seed=0).jobs == trace.jobs
    assert jobs_for(trace, fleet, World(reservations=[promise("b")]), seed=0).jobs == trace.jobs


def test_a_reservation_that_no_job_can_use_is_told_and_refused_where_strict() -> None:
    trace = trace_of([(0, HOUR_MS, 4, Tier.RESERVED, 1, False), (0, HOUR_MS, 4, Tier.ON_DEMAND, 0, False)])
    fleet = Fleet(nodes=plain_nodes(NODES, WIDTH))
    own, idle, elsewhere = promise("b"), promise("a"), replace(promise("b"), type="another")
    assert unclaimed(trace, [own, idle, elsewhere], preemptible=False) == [idle]  # b's job accepts any type
    typed = replace(trace, jobs=[replace(job, types=(TYPE,)) for job in trace.jobs])
    assert unclaimed(typed, [own, idle, elsewhere], preemptible=False) == [idle, elsewhere]
    assert unclaimed(trace, [own], preemptible=True) == [own]
    (note,) = notes_of(trace, [run(trace, "fifo", [replace(own, nodes=1), replace(idle, nodes=1)])])
    assert "1 reservation has seats that none of their owner's jobs can use" in note
    assert f"a's of {TYPE}" in note
    check_possible(trace, fleet, World(reservations=[own]))
    with pytest.raises(ValidationError, match=r"tenant: .* tenant with a job of tier reserved .*'a'.*Correct"):
        check_possible(trace, fleet, World(reservations=[own, idle]))


def test_every_hour_of_a_reservation_is_charged_used_or_not_and_its_seats_cost_nothing(tmp_path: Path) -> None:
    book = tmp_path / "prices.toml"
    book.write_text(
        '[[price_book]]\nid = "one"\ncurrency = "CNY"\neffective = 2026-01-01T00:00:00Z\n'
        f'[price_book.prices.{TYPE}]\non-demand = "2.00"\nreserved = "1.50"\n'
    )
    rows: list[Row] = [
        (HOUR_MS, HOUR_MS, 4, Tier.RESERVED, 0, False),  # on seats, which are paid for
        (5 * HOUR_MS, HOUR_MS, 1, Tier.ON_DEMAND, 1, False),
    ]
    world = World(prices=read_prices(book), reservations=[promise(until=4), promise("b", begins=6, until=900)])
    fleet = Fleet(nodes=plain_nodes(NODES, WIDTH))
    trace = jobs_for(trace_of(rows), fleet, world, seed=0)
    result = replay(trace, replay_in(world, fleet, policy="petahour", seed=0))
    assert result.runs.outcome.tolist() == [Outcome.FINISHED, Outcome.FINISHED]
    assert audit(result) == []
    bill = billed(world, result, audited=True)
    assert bill is not None
    # Three hours of 12 accelerators at 1.50; who told no walltime had to wait till the second one was over.
    lines = {(line.tenant, line.tier): (line.revenue_micros, line.billed_ams) for line in bill.lines}
    assert lines["a", Tier.RESERVED] == (3 * 12 * 1_500_000, 4 * HOUR_MS)
    assert result.jobs.start_ms[1] == 900 * HOUR_MS
    assert lines["b", Tier.RESERVED] == (894 * 12 * 1_500_000, 0)
    assert lines["b", Tier.ON_DEMAND] == (2_000_000, HOUR_MS)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"per_node": 0}, "reservation 1.per_node"),
        ({"until": "0s"}, "reservation 1.until: after its beginning"),
        ({"until": "soon"}, "reservation 1.until: a duration"),
        ({"nodse": 2}, "reservation 1.nodse: no such field"),
        ({"price": 9.8}, "reservation 1.price: text in quotes"),
        ({"tenant": ""}, "reservation 1.tenant"),
    ],
)
def test_what_is_no_reservation_is_refused_with_its_place(change: dict[str, object], told: str) -> None:
    table: dict[str, object] = {"tenant": "a", "type": TYPE, "per_node": 2, "until": "2h"}
    assert parse_reservations([table], "f.toml")[0].nodes == 1
    with pytest.raises(ValidationError, match=told):
        parse_reservations([table | change], "f.toml")


def test_what_cannot_be_promised_is_refused_with_the_instant() -> None:
    with pytest.raises(ValidationError, match="1h after the beginning 0 of 12"):
        seated([promise(), promise("b")], plain_nodes(NODES, WIDTH), [], None)


def test_a_recording_brings_what_was_reserved_on_its_nodes() -> None:
    sample = Path(__file__).parents[3] / "examples" / "simulate" / "formats" / "recording.jsonl"
    events = list(read_recording(sample).events)
    origin_ms = min(event.at_ms for event in events if event.kind is EventKind.JOB_SUBMITTED)
    kept = Reservation(
        id="res-1",
        tenant="acme",
        type="a100-80g-sxm",
        nodes=1,
        per_node=4,
        from_ms=origin_ms + 2_000,
        to_ms=origin_ms + HOUR_MS,
        price_micros=9_800_000,
        currency="CNY",
        lends=True,
        state=ReservationState.CONFIRMED,
    )
    ended = replace(kept, to_ms=origin_ms + HOUR_MS // 2)
    never = replace(kept, id="res-2", to_ms=kept.from_ms, state=ReservationState.CANCELLED)
    told = [
        Event(kind=EventKind.RESERVATION_SET, at_ms=origin_ms, data={"reservation": reservation_data(one)})
        for one in (kept, never, replace(never, state=ReservationState.REQUESTED, to_ms=kept.to_ms), ended)
    ]
    trace = recorded([*events, *told])
    (promised,) = trace.reservations
    assert (promised.from_ms, promised.until_ms, promised.price) == (2_000, HOUR_MS // 2, "9.80")
    (only,) = seated(trace.reservations, trace.nodes, [], None)
    result = replay(trace, Replay(policy=POLICIES["petahour"], nodes=trace.nodes, reservations=[only]))
    assert audit(result) == []
    # With a node kept for another tenant the on-demand work of the recording waits longer than it did without.
    plain = replay(trace, Replay(policy=POLICIES["petahour"], nodes=trace.nodes))
    assert (result.jobs.end_ms != NEVER).all()
    assert result.jobs.end_ms.sum() > plain.jobs.end_ms.sum()
