"""The verdict on a gang from its ranks' words and Slurm's."""

from __future__ import annotations

import pytest

from petahour.engines.local.verdict import RankState
from petahour.engines.protocol import Phase, Report
from petahour.engines.slurm.reading import SlurmJob
from petahour.engines.slurm.verdict import Seen, judge, trustworthy
from petahour.model.allocations import EndKind

NOW_MS = 1_000_000


def _job(state: str, *, start_s: int = 900, end_s: int = 950) -> SlurmJob:
    return SlurmJob(
        id=1, name="a", comment="c", state=state, reason="", nodes="n0", submit_s=800, start_s=start_s, end_s=end_s,
        restarts=0,
    )  # fmt: skip


def _seen(job: SlurmJob | None, *ranks: RankState, **more: object) -> Seen:
    plain = {"allocation": "a", "ranks": ranks, "job": job, "gone": False, "claimed": True, "stop_asked": False}
    return Seen(**(plain | more))  # type: ignore[arg-type]


RUNS = RankState(number=0, started_ms=900_100)
FINE = RankState(number=0, started_ms=900_100, ended_ms=940_000, kind="exited", code=0)
FAILED = RankState(number=1, started_ms=900_100, ended_ms=940_000, kind="exited", code=3)
TOLD = RankState(number=0, started_ms=900_100, ended_ms=940_500, kind="exited", code=143, signal=15)


def test_a_success_is_believed_at_once_and_a_failure_when_slurm_has_said_why() -> None:
    assert judge(_seen(_job("RUNNING"), FINE), NOW_MS).end_kind is EndKind.SUCCEEDED
    assert judge(_seen(_job("RUNNING"), FAILED), NOW_MS).phase is Phase.RUNNING
    assert judge(_seen(_job("FAILED"), FAILED), NOW_MS).end_kind is EndKind.FAILED


@pytest.mark.parametrize("state", ["NODE_FAIL", "CANCELLED", "PREEMPTED", "BOOT_FAIL"])
@pytest.mark.parametrize("rank", [TOLD, RUNS])
def test_what_slurm_took_away_is_nobodys_failure(state: str, rank: RankState) -> None:
    report = judge(_seen(_job(state), rank), NOW_MS)
    assert (report.end_kind, report.started_ms, report.ended_ms) == (EndKind.LOST, 900_100, 950_000)


def test_a_stop_that_was_asked_for_is_a_stop() -> None:
    assert judge(_seen(_job("CANCELLED"), RUNS, stop_asked=True), NOW_MS).end_kind is EndKind.STOPPED
    never = judge(_seen(_job("CANCELLED"), RankState(number=0), stop_asked=True, claimed=False), NOW_MS)
    assert (never.end_kind, never.started_ms) == (EndKind.STOPPED, None)


@pytest.mark.parametrize(
    ("state", "kind"),
    [("TIMEOUT", EndKind.WALLTIME), ("OUT_OF_MEMORY", EndKind.FAILED), ("COMPLETED", EndKind.LOST)],
)
def test_a_rank_that_said_nothing_is_what_slurm_says(state: str, kind: EndKind) -> None:
    assert judge(_seen(_job(state), RUNS), NOW_MS).end_kind is kind


def test_refused_given_up_and_forgotten_jobs_are_the_operators_matter() -> None:
    refused = judge(_seen(None, RankState(number=0), claimed=False, refused="Invalid account"), NOW_MS)
    assert (refused.end_kind, refused.started_ms) == (EndKind.LOST, None)
    assert "Invalid account" in refused.message
    late = judge(_seen(_job("CANCELLED"), RankState(number=0), claimed=False, given_up="not in 60 s"), NOW_MS)
    assert (late.end_kind, late.message) == (EndKind.LOST, "not in 60 s")
    assert judge(_seen(None, RUNS, gone=True), NOW_MS).message == "Slurm no longer knows the job"


def test_times_of_a_node_whose_clock_is_wrong_are_bounded_by_slurms() -> None:
    early = Report(allocation="a", phase=Phase.ENDED, started_ms=500_000, ended_ms=999_000, end_kind=EndKind.FAILED)
    bounded = trustworthy(early, _job("FAILED"))
    assert (bounded.started_ms, bounded.ended_ms) == (898_000, 953_000)
    right = Report(allocation="a", phase=Phase.ENDED, started_ms=900_100, ended_ms=940_000, end_kind=EndKind.FAILED)
    assert trustworthy(right, _job("FAILED")) == right
