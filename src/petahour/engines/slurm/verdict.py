"""The verdict on a gang: its ranks' own words, and Slurm's about why they ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from petahour.engines.local.verdict import RankState, report_of
from petahour.engines.protocol import Phase, Report
from petahour.engines.slurm.reading import SlurmJob
from petahour.model.allocations import EndKind

SKEW_MS = 2_000  # Slurm's times are whole seconds
# States in which Slurm or its admin took the job's nodes away: never the tenant's failure.
_TAKEN = {
    "NODE_FAIL": "a node of the job went down",
    "BOOT_FAIL": "a node of the job did not boot",
    "CANCELLED": "the job was cancelled in Slurm",
    "PREEMPTED": "Slurm preempted the job",
    "REVOKED": "Slurm revoked the job",
    "DEADLINE": "Slurm ended the job at its deadline",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What is known of one allocation. ``gone``: Slurm, asked for it, does not know it (any more).

    ``claimed``: a Slurm job has begun to run it. ``refused``: why Slurm did not take it, if so.
    ``given_up``: why the engine itself ended a job that had not begun, if so.
    """

    allocation: str
    ranks: tuple[RankState, ...]
    job: SlurmJob | None
    gone: bool
    claimed: bool
    stop_asked: bool
    refused: str = ""
    given_up: str = ""


def judge(seen: Seen, now_ms: int) -> Report:
    """One report. An end other than a success or an obeyed stop waits for Slurm's word on the job, since only
    Slurm knows that a node failed or that its admin ended the job; the times are the ranks' own all the same."""
    if seen.refused:
        return _lost(seen, now_ms, f"Slurm refused the job: {seen.refused}")
    over = seen.gone or (seen.job is not None and not seen.job.live)
    if seen.stop_asked and not seen.claimed and over:
        return Report(
            allocation=seen.allocation, phase=Phase.ENDED, end_kind=EndKind.STOPPED, message="never started"
        )
    found = report_of(seen.allocation, seen.ranks, stop_asked=seen.stop_asked)
    if found.phase is Phase.ENDED and (over or found.end_kind in (EndKind.SUCCEEDED, EndKind.STOPPED)):
        return _with_slurms_word(seen, found, now_ms)
    if not over:
        return found if found.phase is not Phase.ENDED else replace(_still(found), started_ms=found.started_ms)
    return _unfinished(seen, now_ms)


def trustworthy(report: Report, job: SlurmJob | None) -> Report:
    """The report with times that Slurm's accounting can bear out: a node's clock may be wrong, and time is money."""
    if job is None or not job.start_s or report.started_ms is None:
        return report
    low_ms = job.start_s * 1_000 - SKEW_MS
    started_ms = max(report.started_ms, low_ms)
    if report.ended_ms is None:
        return replace(report, started_ms=started_ms)
    ended_ms = report.ended_ms
    if job.end_s and not job.live:
        ended_ms = min(ended_ms, job.end_s * 1_000 + 1_000 + SKEW_MS)
        started_ms = min(started_ms, ended_ms)
    return replace(report, started_ms=started_ms, ended_ms=max(ended_ms, started_ms))


def _still(report: Report) -> Report:
    return Report(allocation=report.allocation, phase=Phase.RUNNING, started_ms=report.started_ms)


def _with_slurms_word(seen: Seen, found: Report, now_ms: int) -> Report:
    """All ranks have ended by their own account."""
    state = seen.job.state if seen.job is not None else ""
    if found.end_kind in (EndKind.SUCCEEDED, EndKind.STOPPED):
        return found
    if state in _TAKEN:
        return _lost(seen, now_ms, _TAKEN[state])
    if state == "TIMEOUT":
        return replace(found, end_kind=EndKind.WALLTIME, message="Slurm's time limit was reached")
    if state == "OUT_OF_MEMORY":
        return replace(found, message=f"{found.message} (out of memory, says Slurm)")
    return found


def _unfinished(seen: Seen, now_ms: int) -> Report:
    """Slurm holds the job over, and some rank has not said how it ended."""
    state = seen.job.state if seen.job is not None else ""
    if seen.stop_asked:
        started = [rank.started_ms for rank in seen.ranks if rank.started_ms is not None]
        return Report(
            allocation=seen.allocation,
            phase=Phase.ENDED,
            started_ms=min(started, default=None),
            ended_ms=_end_ms(seen, now_ms),
            end_kind=EndKind.STOPPED,
            exit_code=137,
            message="killed by Slurm",
        )
    if state == "TIMEOUT":
        return replace(_lost(seen, now_ms, "Slurm's time limit was reached"), end_kind=EndKind.WALLTIME)
    if state == "OUT_OF_MEMORY":
        failed = replace(_lost(seen, now_ms, "out of memory, says Slurm"), end_kind=EndKind.FAILED)
        return replace(failed, exit_code=137)
    if seen.given_up:
        return _lost(seen, now_ms, seen.given_up)
    if seen.gone:
        return _lost(seen, now_ms, "Slurm no longer knows the job")
    return _lost(seen, now_ms, _TAKEN.get(state) or f"a rank ended without a word; Slurm calls the job {state}")


def _lost(seen: Seen, now_ms: int, message: str) -> Report:
    started = [rank.started_ms for rank in seen.ranks if rank.started_ms is not None]
    return Report(
        allocation=seen.allocation,
        phase=Phase.ENDED,
        started_ms=min(started, default=None),
        ended_ms=_end_ms(seen, now_ms),
        end_kind=EndKind.LOST,
        message=message,
    )


def _end_ms(seen: Seen, now_ms: int) -> int:
    """Slurm's own end of the job, else the last rank's, else now."""
    if seen.job is not None and not seen.job.live and seen.job.end_s:
        return min(now_ms, seen.job.end_s * 1_000)
    ended: Sequence[int] = [rank.ended_ms for rank in seen.ranks if rank.ended_ms is not None]
    return max(ended) if len(ended) == len(seen.ranks) and ended else now_ms
