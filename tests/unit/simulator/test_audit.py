"""The audit against replays that were tampered with: each rule is broken once, and found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from petahour.scheduler.policies import POLICIES
from petahour.simulator.audit import audit
from petahour.simulator.fleet import plain_nodes
from petahour.simulator.replay import Replay, replay
from petahour.simulator.result import Outcome, Result
from petahour.simulator.trace import Trace, TraceJob


@pytest.fixture(scope="module")
def sound() -> Result:
    jobs = [
        TraceJob(
            row=number,
            id=str(number),
            tenant="a",
            submit_ms=number * 60_000,
            duration_ms=900_000 * (1 + number % 3),
            accelerators=4,
        )
        for number in range(12)
    ]
    trace = Trace(name="t", jobs=jobs)
    return replay(trace, Replay(policy=POLICIES["las"], nodes=plain_nodes(2, 4), preemptible=True))


def changed(column: np.ndarray, place: int, value: int) -> np.ndarray:
    copy = column.copy()
    copy[place] = value
    return copy


def runs(result: Result, name: str, value: Callable[[Result], int], place: int = 3) -> Result:
    column = changed(getattr(result.runs, name), place, value(result))
    return replace(result, runs=replace(result.runs, **{name: column}))


def placed(result: Result, name: str, value: int, place: int = 3) -> Result:
    column = changed(getattr(result.placements, name), place, value)
    return replace(result, placements=replace(result.placements, **{name: column}))


BREAKS: list[tuple[str, Callable[[Result], Result]]] = [
    ("a gang is whole or absent", lambda sound: placed(sound, "accelerators", 3)),
    ("a gang is whole or absent", lambda sound: runs(sound, "accelerators", lambda _: 5)),
    ("no node gives more", lambda sound: placed(sound, "node", 1 - int(sound.placements.node[3]))),
    ("what is held is in service", lambda sound: replace(sound, capacity=((0, 8), (1_000_000, 4)))),
    ("nothing runs before", lambda sound: runs(sound, "start_ms", lambda _: -5)),
    ("a job runs once at a time", lambda sound: runs(sound, "job", lambda result: int(result.runs.job[4]))),
    ("a job's figures", lambda sound: runs(sound, "outcome", lambda _: Outcome.CUT, len(sound.runs.job) - 1)),
]


def test_a_replay_with_preemption_is_sound(sound: Result) -> None:
    assert sound.jobs.preemptions.sum() > 0
    assert audit(sound) == []


@pytest.mark.parametrize(("rule", "broken"), BREAKS)
def test_what_is_broken_is_found(sound: Result, rule: str, broken: Callable[[Result], Result]) -> None:
    assert any(finding.rule.startswith(rule) for finding in audit(broken(sound)))
