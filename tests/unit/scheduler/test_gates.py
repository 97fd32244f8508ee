"""Jobs that wait for others: who passes when, and who never will."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.scheduler.building import job

from petahour.model.jobs import After, ArrayTask, Job, JobState
from petahour.scheduler.gates import Gates
from petahour.scheduler.plan import HoldCode


def waits(seq: int, *after: tuple[int, bool], array: ArrayTask | None = None) -> Job:
    plain = job(seq)
    links = tuple(After(job=f"job-{other}", ok=ok) for other, ok in after)
    return replace(plain, spec=replace(plain.spec, after=links, array=array))


def task(index: int, size: int, at_once: int) -> Job:
    return waits(index, array=ArrayTask(array="array", index=index, size=size, at_once=at_once))


def test_a_job_without_links_passes_unseen() -> None:
    gates = Gates()
    gates.put(job(1))
    assert not gates.shut("job-1")
    assert gates.release() == []


def test_it_passes_when_the_last_one_has_ended_as_wanted() -> None:
    gates = Gates()
    gates.put(waits(3, (1, True), (2, False)))
    assert gates.ask() == {"job-1", "job-2"}
    assert gates.ask() == frozenset()
    assert gates.release() == []
    hold = gates.hold("job-3")
    assert hold is not None
    assert (hold.code, hold.text) == (
        HoldCode.DEPENDENCY,
        "starts when job-1 has succeeded, and 1 more it waits for",
    )
    gates.over("job-2", ok=False)
    assert gates.release() == []
    gates.over("job-1", ok=True)
    assert gates.release() == ["job-3"]
    assert gates.hold("job-3") is None


def test_it_never_passes_when_one_fails_that_had_to_succeed() -> None:
    gates = Gates()
    gates.put(waits(2, (1, True)))
    gates.over("job-1", ok=False)
    assert gates.release() == []
    assert gates.never == {"job-2": "job-1"}
    gates.over("job-2", ok=False)
    assert gates.never == {}


def test_what_has_run_before_is_not_held_up_again() -> None:
    gates = Gates()
    gates.put(replace(waits(2, (1, True)), attempt=1))
    assert not gates.shut("job-2")
    running = replace(task(0, 2, 1), state=JobState.RUNNING, attempt=1)
    gates.put(running)
    gates.put(task(1, 2, 1))
    assert gates.release() == []
    gates.over("job-0", ok=True)
    assert gates.release() == ["job-1"]


def test_a_cancelled_task_gives_way_to_the_next() -> None:
    gates = Gates()
    for index in range(4):
        gates.put(task(index, 4, 1))
    assert gates.release() == ["job-0"]
    gates.over("job-1", ok=False)
    gates.over("job-0", ok=True)
    assert gates.release() == ["job-2"]


@given(
    size=st.integers(1, 12),
    at_once=st.integers(1, 12),
    ends=st.lists(st.tuples(st.integers(0, 11), st.booleans()), max_size=60),
)
def test_of_an_array_never_too_many_are_under_way_and_none_is_forgotten(
    size: int, at_once: int, ends: list[tuple[int, bool]]
) -> None:
    gates = Gates()
    for index in range(size):
        gates.put(task(index, size, at_once))
    left = {f"job-{index}" for index in range(size)}
    under_way = set(gates.release())
    for place, ok in [*ends, *((0, True) for _ in range(size))]:
        assert len(under_way) == min(at_once, len(left))
        if not under_way:
            break
        ended = sorted(under_way)[place % len(under_way)]
        gates.over(ended, ok=ok)
        left.discard(ended)
        under_way = under_way - {ended} | set(gates.release())
    assert not left


@given(st.data())
def test_links_of_any_kind_resolve_as_by_looking_at_them_one_by_one(data: st.DataObject) -> None:
    """Against a few lines that look at every job again after every end."""
    count = data.draw(st.integers(1, 10))
    jobs = [
        waits(seq, *data.draw(st.lists(st.tuples(st.integers(0, seq - 1), st.booleans()), max_size=3)))
        if seq
        else job(0)
        for seq in range(count)
    ]
    gates, over, started = Gates(), dict[str, bool](), set[str]()
    for one in jobs:
        gates.put(one)
    started |= {one.id for one in jobs if not gates.shut(one.id)} | set(gates.release())
    for _ in range(count):
        running = sorted(started - over.keys()) + sorted(gates.never.keys() - over.keys())
        if not running:
            break
        ended = data.draw(st.sampled_from(running))
        over[ended] = ended not in gates.never and data.draw(st.booleans())
        gates.over(ended, ok=over[ended])
        started |= set(gates.release())
        for one in jobs:
            met = all(after.job in over and (over[after.job] or not after.ok) for after in one.spec.after)
            failed = any(after.ok and over.get(after.job) is False for after in one.spec.after)
            assert (one.id in started) == met
            assert (one.id in gates.never) == (failed and one.id not in over)
