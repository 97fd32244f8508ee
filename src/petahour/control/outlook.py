"""Outlook: when a job that waits is expected to start, and what would have it start at once."""

from __future__ import annotations

from dataclasses import dataclass

from petahour.control.context import Context
from petahour.model.jobs import Job, JobState
from petahour.scheduler.foresee import Expected, foresee
from petahour.scheduler.plan import HoldCode
from petahour.scheduler.sooner import Sooner, sooner

MANY = 20_000  # jobs that run or wait, beyond which looking ahead would take longer than somebody waits for it
_BY_TIME = frozenset(
    {
        HoldCode.CAPACITY,
        HoldCode.ORDER,
        HoldCode.PREEMPTING,
        HoldCode.QUOTA,
        HoldCode.KEPT,
        HoldCode.MAINTENANCE,
        HoldCode.RESERVATION,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """``expected`` None: no time alone will start it; what does is in the reason."""

    expected: Expected | None
    sooner: Sooner | None


def outlook(context: Context, job: Job) -> Outlook | None:
    """None unless the job waits and the scheduler has seen it. Played forward from the live state on each call."""
    live = context.live
    state, now_ms = live.state, context.clock.now_ms()
    waiting, hold = state.lines.job(job.id), live.holds.get(job.id)
    if job.state is not JobState.QUEUED or waiting is None or hold is None:
        return None
    if len(state.running) + len(state.lines) > MANY:
        return None
    present = live.present(now_ms)
    expected = foresee(present, now_ms, [job.id])[job.id] if hold.code in _BY_TIME else None
    return Outlook(expected=expected, sooner=sooner(state, present, waiting, now_ms))
