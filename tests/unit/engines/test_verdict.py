"""One report from the states of a gang's ranks."""

from __future__ import annotations

import pytest

from petahour.engines.local.verdict import RankState, rank_state, report_of
from petahour.engines.protocol import Phase
from petahour.model.allocations import EndKind


def ended(number: int, kind: str = "exited", code: int | None = 0, at_ms: int = 50, **more: object) -> RankState:
    return RankState(number=number, started_ms=10 + number, ended_ms=at_ms, kind=kind, code=code, **more)  # type: ignore[arg-type]


def test_a_gang_runs_once_all_ranks_do_from_the_first_ones_start_to_the_last_ones_end() -> None:
    waiting, running = RankState(number=0), RankState(number=1, started_ms=20)
    assert report_of("a", [waiting, RankState(number=1)], stop_asked=False).phase is Phase.STARTING
    assert report_of("a", [waiting, running], stop_asked=False).phase is Phase.STARTING
    assert report_of("a", [waiting, ended(1)], stop_asked=False).phase is Phase.STARTING
    report = report_of("a", [RankState(number=0, started_ms=30), running], stop_asked=False)
    assert (report.phase, report.started_ms) == (Phase.RUNNING, 20)
    report = report_of("a", [ended(0, at_ms=50), ended(1, at_ms=70)], stop_asked=False)
    assert (report.phase, report.started_ms, report.ended_ms) == (Phase.ENDED, 10, 70)
    assert (report.end_kind, report.exit_code, report.message) == (EndKind.SUCCEEDED, 0, "")


def test_the_first_to_fail_is_the_cause_and_those_stopped_for_it_are_not() -> None:
    ranks = [ended(0, "stopped", 143, 90), ended(1, "exited", 3, 60), ended(2, "exited", 1, 80)]
    report = report_of("a", ranks, stop_asked=False)
    assert (report.end_kind, report.exit_code, report.message) == (EndKind.FAILED, 3, "rank 1 exited with code 3")


@pytest.mark.parametrize(
    ("rank", "kind", "said"),
    [
        (ended(1, "lost", None, message="its supervisor is gone"), EndKind.LOST, "rank 1 was lost"),
        (ended(1, "walltime", 143), EndKind.WALLTIME, "walltime reached"),
        (ended(1, "exited", 137, signal=9), EndKind.FAILED, "rank 1 was killed by SIGKILL"),
        (ended(1, "spawn-failed", 127, message="x: No such file"), EndKind.FAILED, "could not be started: x"),
    ],
)
def test_every_kind_of_end_has_its_word(rank: RankState, kind: EndKind, said: str) -> None:
    report = report_of("a", [ended(0, "stopped", 143, 99), rank], stop_asked=False)
    assert report.end_kind is kind
    assert said in report.message


def test_a_stop_asked_for_is_a_stop_unless_all_had_succeeded() -> None:
    ranks = [ended(0, "stopped", 143), ended(1, "exited", 1)]
    assert report_of("a", ranks, stop_asked=True).end_kind is EndKind.STOPPED
    assert report_of("a", [ended(0), ended(1)], stop_asked=True).end_kind is EndKind.SUCCEEDED


def test_no_status_yet_is_a_rank_that_has_not_started() -> None:
    assert rank_state(4, None) == RankState(number=4)
