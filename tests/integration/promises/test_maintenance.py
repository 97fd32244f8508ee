"""Maintenance windows on a floor that a test steps: who is placed, who is stopped when, and what becomes of nodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.property.control.floor import OPERATOR, HandPlane

from petahour.control.audit.stream import audit_log
from petahour.control.maintenance import Planned, cancel_maintenance, plan_maintenance, windows_for
from petahour.model.errors import ConflictError, NotFoundError, ValidationError
from petahour.model.events import EventKind
from petahour.model.jobs import JobState
from petahour.model.promises import WindowState
from petahour.model.resources import NodeState
from petahour.model.time import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from petahour.scheduler.plan import HoldCode
from petahour.simulator.recording import retrace

BOTH = ("cpu-1", "cpu-2")


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[HandPlane]:
    made = HandPlane(tmp_path)
    yield made
    assert list(audit_log(made.log())) == []
    if any(event.kind is EventKind.PASS_MADE for event in made.log()):
        assert retrace(made.log()).difference is None
    made.close()


def plan(
    plane: HandPlane, *nodes: str, after_ms: int, for_ms: int = HOUR_MS, reason: str = "fans", empties: bool = False
) -> Planned:
    from_ms = plane.clock.at_ms + after_ms
    return plan_maintenance(
        plane.context, OPERATOR, nodes, from_ms=from_ms, to_ms=from_ms + for_ms, reason=reason, empties=empties
    )


def states(plane: HandPlane, *nodes: str) -> list[NodeState]:
    with plane.store.read() as tx:
        found = {node.name: node.state for node in tx.fleet.every()}
    return [found[name] for name in nodes]


def test_only_what_is_surely_over_is_placed_before_a_window(plane: HandPlane) -> None:
    window = plan(plane, *BOTH, after_ms=2 * HOUR_MS).window
    short = plane.submit(walltime="1h", run_ms=HOUR_MS)
    long = plane.submit(walltime="2h", run_ms=HOUR_MS)
    unknown = plane.submit(run_ms=HOUR_MS)
    plane.step(100)
    assert plane.job(short.id).state is JobState.STARTING
    for waits, said in ((long, "before its walltime is over"), (unknown, "as it gives no walltime")):
        hold = plane.context.live.holds[waits.id]
        assert (hold.code, hold.job) == (HoldCode.MAINTENANCE, waits.id)
        assert f"maintenance {window.id} of cpu-1, cpu-2 (fans) from" in hold.text
        assert said in hold.text


def test_a_job_goes_where_there_is_no_window(plane: HandPlane) -> None:
    plan(plane, "cpu-1", after_ms=HOUR_MS)
    job = plane.submit(accelerators_per_node=1)
    plane.step(100)
    with plane.store.read() as tx:
        (allocation,) = tx.allocations.of_job(job.id)
    assert [slot.node for slot in allocation.slots] == ["cpu-2"]


def test_spot_runs_until_it_has_to_make_way_and_goes_on_afterwards(plane: HandPlane) -> None:
    plan(plane, *BOTH, after_ms=HOUR_MS, for_ms=HOUR_MS)
    spot = plane.submit(tier="spot", run_ms=3 * HOUR_MS, checkpoint_dir="ckpt", grace="5m")
    plane.step(100)
    plane.step(SECOND_MS)
    assert plane.job(spot.id).state is JobState.RUNNING
    plane.step(54 * MINUTE_MS)
    assert plane.job(spot.id).state is JobState.RUNNING
    plane.step(MINUTE_MS)
    assert plane.job(spot.id).state is JobState.STOPPING
    plane.step(2 * SECOND_MS)
    assert plane.job(spot.id).state is JobState.QUEUED
    assert states(plane, *BOTH) == [NodeState.UP, NodeState.UP]
    plane.step(5 * MINUTE_MS)
    assert states(plane, *BOTH) == [NodeState.DRAINING, NodeState.DRAINING]
    assert (
        "8 on nodes that are draining or down (maintenance until 2084-01-" in plane.context.live.holds[spot.id].text
    )
    plane.step(HOUR_MS)
    plane.step(SECOND_MS)
    assert states(plane, *BOTH) == [NodeState.UP, NodeState.UP]
    assert plane.job(spot.id).state is JobState.RUNNING
    history = [event.data for event in plane.log() if event.kind is EventKind.JOB_STOPPING]
    assert [data["stop_cause"] for data in history] == ["maintenance"]


def test_spot_that_would_have_to_stop_at_once_is_not_placed(plane: HandPlane) -> None:
    plan(plane, *BOTH, after_ms=5 * MINUTE_MS)
    spot = plane.submit(tier="spot", run_ms=HOUR_MS, grace="5m")
    plane.step(100)
    assert plane.context.live.holds[spot.id].code is HoldCode.MAINTENANCE


def test_what_cannot_go_on_elsewhere_runs_on_and_is_told(plane: HandPlane) -> None:
    firm = plane.submit(run_ms=3 * HOUR_MS)
    plane.step(100)
    plane.step(SECOND_MS)
    made = plan(plane, *BOTH, after_ms=HOUR_MS)
    assert made.runs_on == (firm.id,)
    plane.step(90 * MINUTE_MS)
    assert plane.job(firm.id).state is JobState.RUNNING
    assert NodeState.DRAINING in states(plane, *BOTH)


def test_a_window_that_empties_stops_everything_in_time(plane: HandPlane) -> None:
    firm = plane.submit(run_ms=3 * HOUR_MS, grace="2m", nodes=2)
    plane.step(100)
    plane.step(SECOND_MS)
    made = plan(plane, "cpu-2", after_ms=HOUR_MS, empties=True)
    assert made.runs_on == ()
    plane.step(HOUR_MS - 2 * MINUTE_MS)
    plane.step(2 * SECOND_MS)
    assert plane.job(firm.id).state is JobState.QUEUED
    assert plane.job(firm.id).failures == 0


def test_it_opens_and_closes_once_whatever_crashes(plane: HandPlane) -> None:
    window = plan(plane, "cpu-1", after_ms=HOUR_MS).window
    for after_ms in (HOUR_MS, 1, 1, HOUR_MS, 1, 1):
        plane.start()
        plane.step(after_ms)
    told = [event.data["cause"] for event in plane.log() if event.kind is EventKind.MAINTENANCE_SET]
    assert told == ["planned by operator", "begun", "over"]
    assert states(plane, "cpu-1") == [NodeState.UP]
    assert windows_for(plane.context, OPERATOR) == []
    assert [one.state for one in windows_for(plane.context, OPERATOR, over=True)] == [WindowState.CLOSED]
    with pytest.raises(ConflictError, match="it ended at"):
        cancel_maintenance(plane.context, OPERATOR, window.id)


def test_a_plane_that_was_away_for_all_of_a_window_closes_it(plane: HandPlane) -> None:
    plan(plane, "cpu-1", after_ms=HOUR_MS)
    plane.start()
    plane.step(5 * HOUR_MS)
    assert [one.state for one in windows_for(plane.context, OPERATOR, over=True)] == [WindowState.CLOSED]
    assert states(plane, "cpu-1") == [NodeState.UP]


def test_an_operators_own_drain_outlasts_the_window_and_windows_overlap(plane: HandPlane) -> None:
    plane.drain("cpu-2")
    plan(plane, *BOTH, after_ms=HOUR_MS, for_ms=HOUR_MS)
    plan(plane, "cpu-1", after_ms=90 * MINUTE_MS, for_ms=HOUR_MS)
    plane.step(105 * MINUTE_MS)
    plane.step(30 * MINUTE_MS)
    assert states(plane, *BOTH) == [NodeState.DRAINING, NodeState.DRAINING]
    plane.step(30 * MINUTE_MS)
    assert states(plane, *BOTH) == [NodeState.UP, NodeState.DRAINING]


def test_an_open_window_that_is_called_off_gives_its_nodes_back(plane: HandPlane) -> None:
    window = plan(plane, "cpu-?", after_ms=MINUTE_MS).window
    assert window.nodes == BOTH
    plane.step(2 * MINUTE_MS)
    assert states(plane, *BOTH) == [NodeState.DRAINING, NodeState.DRAINING]
    for _ in range(2):
        assert cancel_maintenance(plane.context, OPERATOR, window.id).state is WindowState.CANCELLED
    assert states(plane, *BOTH) == [NodeState.UP, NodeState.UP]
    plane.step(MINUTE_MS)
    assert states(plane, *BOTH) == [NodeState.UP, NodeState.UP]


@pytest.mark.parametrize(
    ("nodes", "after_ms", "for_ms", "reason", "error", "field"),
    [
        (("gone-1",), 0, HOUR_MS, "", NotFoundError, "nodes"),
        ((), 0, HOUR_MS, "", ValidationError, "nodes"),
        (("cpu-1",), HOUR_MS, 0, "", ValidationError, "to"),
        (("cpu-1",), HOUR_MS, -HOUR_MS, "", ValidationError, "to"),
        (("cpu-1",), -2 * HOUR_MS, HOUR_MS, "", ValidationError, "to"),
        (("cpu-1",), 0, 367 * DAY_MS, "", ValidationError, "to"),
        (("cpu-1",), 400 * DAY_MS, HOUR_MS, "", ValidationError, "from"),
        (("cpu-1",), 0, HOUR_MS, "x" * 501, ValidationError, "reason"),
    ],
)
def test_what_cannot_be_a_window_is_refused(
    plane: HandPlane,
    nodes: tuple[str, ...],
    after_ms: int,
    for_ms: int,
    reason: str,
    error: type[ValidationError],
    field: str,
) -> None:
    with pytest.raises(error) as caught:
        plan(plane, *nodes, after_ms=after_ms, for_ms=for_ms, reason=reason)
    assert caught.value.field == field
    assert windows_for(plane.context, OPERATOR, over=True) == []


def test_a_window_that_nobody_planned_cannot_be_called_off(plane: HandPlane) -> None:
    with pytest.raises(NotFoundError, match="no such window"):
        cancel_maintenance(plane.context, OPERATOR, "mnt-none")
