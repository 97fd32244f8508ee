"""A recording on a real store: replayed bit for bit, told apart where it was tampered with, and kept bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.property.control.floor import A100, HandPlane

from petahour.control.passes import MOST_IDLE
from petahour.control.settings import Settings
from petahour.model.errors import ValidationError
from petahour.model.events import Event, EventKind
from petahour.model.jobs import JobState
from petahour.model.time import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from petahour.simulator.recording import read_recording, retrace, write_recording


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[HandPlane]:
    made = HandPlane(tmp_path)
    yield made
    made.close()


def eventful(plane: HandPlane) -> list[Event]:
    """A preemption, a drain, a cancel and a crash."""
    spot = plane.submit("acme", tier="spot", types=(A100,), nodes=2, accelerators_per_node=4, run_ms=HOUR_MS)
    plane.step(SECOND_MS)
    plane.submit("beta", types=(A100,), accelerators_per_node=2)
    plane.step(SECOND_MS)
    assert plane.job(spot.id).state is JobState.STOPPING
    plane.start()
    plane.drain("show-1")
    for _ in range(4):
        plane.step(SECOND_MS)
    waiting = plane.submit("coop", accelerators_per_node=4, nodes=2, run_ms=MINUTE_MS)
    plane.step(SECOND_MS)
    plane.cancel(waiting.id)
    plane.step(SECOND_MS)
    return plane.log()


def test_a_replay_decides_the_same(plane: HandPlane) -> None:
    again = retrace(eventful(plane))
    assert again.difference is None
    assert (again.loads, again.preemptions) == (2, 1)
    assert again.placements >= 3


def passes(log: list[Event]) -> list[Event]:
    return [event for event in log if event.kind is EventKind.PASS_MADE and event.data.get("places")]


def tampered(log: list[Event], one: Event, **changes: object) -> list[Event]:
    return [replace(event, data={**event.data, **changes}) if event is one else event for event in log]


def test_another_decision_is_shown(plane: HandPlane) -> None:
    log = eventful(plane)
    first = passes(log)[0]
    (place,) = first.data["places"]  # type: ignore[misc]
    other = {**place, "slots": [["show-2", [0, 1, 2, 3]], ["show-1", [0, 1, 2, 3]]]}
    difference = retrace(tampered(log, first, places=[other])).difference
    assert difference is not None
    assert (difference.seq, difference.at_ms, difference.job) == (first.seq, first.at_ms, place["job"])
    assert "show-2[0,1,2,3], show-1[0,1,2,3]" in difference.then
    assert "show-1[0,1,2,3], show-2[0,1,2,3]" in difference.now


def test_a_decision_left_out_and_one_too_many_are_shown(plane: HandPlane) -> None:
    log = eventful(plane)
    first = passes(log)[0]
    left_out = retrace(tampered(log, first, places=[])).difference
    assert left_out is not None
    assert left_out.then == "nothing"
    (place,) = first.data["places"]  # type: ignore[misc]
    too_many = retrace(tampered(log, first, places=[place, {**place, "job": "job-x"}])).difference
    assert too_many is not None
    assert (too_many.job, too_many.now) == ("job-x", "nothing")


def test_other_prices_or_another_order_of_events_are_noticed(plane: HandPlane) -> None:
    log = eventful(plane)
    first = passes(log)[0]
    loaded = {**first.data["loaded"], "books": []}  # type: ignore[dict-item]
    assert retrace(tampered(log, first, loaded=loaded)).difference is not None
    with pytest.raises(ValidationError, match="follow from one another"):
        retrace([event for event in log if event.kind is not EventKind.JOB_PLACED])
    with pytest.raises(ValidationError, match="at least one scheduling pass"):
        retrace([event for event in log if event.kind is not EventKind.PASS_MADE])


def test_a_file_holds_the_log_whole_or_is_refused(plane: HandPlane, tmp_path: Path) -> None:
    log = eventful(plane)
    for name in ("rec.jsonl", "rec.jsonl.gz"):
        path = tmp_path / name
        assert write_recording(log, path, made_by="1.0", made_ms=7) == len(log)
        read = read_recording(path)
        assert (list(read.events), read.made_by, read.made_ms) == (log, "1.0", 7)
    lines = (tmp_path / "rec.jsonl").read_text("utf-8").splitlines(keepends=True)
    for wrong, said in (
        (lines[:-1], "ends before its foot"),
        (lines[:5] + lines[6:], "tells of"),
        ([*lines[:5], lines[4], *lines[5:]], "line 6: has the number"),
        (lines[1:], "line 1: is no head"),
        (lines + lines[1:2], "comes after the foot"),
        ([*lines[:3], "{\n", *lines[3:]], "line 4: is no JSON"),
        ([*lines[:3], lines[3].replace("node-", "code-"), *lines[4:]], "line 4: has the kind"),
        ([*lines[:3], lines[3].replace('"at_ms":', '"at_s":'), *lines[4:]], "line 4: has at_ms None"),
    ):
        (tmp_path / "wrong").write_text("".join(wrong), "utf-8")
        with pytest.raises(ValidationError, match=said):
            read_recording(tmp_path / "wrong")


def test_who_waits_is_looked_at_again_with_time_alone(plane: HandPlane) -> None:
    """A spot run that has had much yields to spot work that came later, with no event in between."""
    gang = {"types": (A100,), "nodes": 2, "accelerators_per_node": 4, "tier": "spot", "checkpoint_dir": "ckpt"}
    for _ in range(3):
        plane.submit("beta", run_ms=MINUTE_MS, name="short", **gang)
        for _ in range(3):
            plane.step(MINUTE_MS)
    plane.step(HOUR_MS - plane.clock.at_ms % HOUR_MS + MINUTE_MS)  # An hour that is closed would be an event.
    long = plane.submit("acme", run_ms=30 * HOUR_MS, name="long", **gang)
    plane.step(SECOND_MS)
    plane.step(SECOND_MS)
    waits = plane.submit("beta", run_ms=MINUTE_MS, name="short", **gang)
    plane.step(SECOND_MS)
    assert plane.job(long.id).state is JobState.RUNNING
    seen = len(plane.log())
    while len(plane.log()) == seen:
        plane.step(10 * SECOND_MS)
    assert plane.log()[seen].kind is EventKind.PASS_MADE
    assert plane.job(long.id).state is JobState.STOPPING
    plane.step(2 * SECOND_MS)
    plane.step(SECOND_MS)
    assert plane.job(waits.id).state is JobState.RUNNING
    assert retrace(plane.log()).difference is None


def test_passes_that_decide_nothing_are_kept_in_bounds(plane: HandPlane) -> None:
    plane.submit("acme", accelerators_per_node=4, nodes=2, run_ms=30 * DAY_MS)
    plane.step(SECOND_MS)
    plane.submit("beta", accelerators_per_node=4, nodes=2)
    before = len(passes(plane.log()))
    for _ in range(MOST_IDLE + 50):
        plane.step(10 * SECOND_MS)
    gathered = [event for event in plane.log() if event.kind is EventKind.PASS_MADE and "places" not in event.data]
    assert len(passes(plane.log())) == before
    assert len(gathered) == 1
    assert len(gathered[0].data["idle"]) == MOST_IDLE  # type: ignore[arg-type]
    again = retrace(plane.log())
    assert (again.difference, again.idle >= MOST_IDLE) == (None, True)


def test_a_pass_is_stored_in_the_transactions_that_carry_it_out(tmp_path: Path) -> None:
    plane = HandPlane(tmp_path, Settings(placements_per_commit=2))
    for _ in range(5):
        plane.submit("acme", run_ms=HOUR_MS)
    plane.step(SECOND_MS)
    parts = passes(plane.log())
    assert [len(event.data["places"]) for event in parts] == [2, 2, 1]  # type: ignore[arg-type]
    assert [event.data["part"] for event in parts] == [1, 2, 3]
    # As if a crash had come before the last of them was stored.
    cut = [event for event in plane.log() if event.seq < parts[2].seq]
    assert retrace(plane.log()).placements == 5
    assert (retrace(cut).placements, retrace(cut).difference) == (4, None)
    plane.close()
