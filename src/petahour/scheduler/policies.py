"""The policies by name."""

from __future__ import annotations

from math import log2

from petahour.model.errors import ValidationError
from petahour.model.jobs import Tier
from petahour.model.time import MINUTE_MS
from petahour.scheduler.ask import Running, Waiting
from petahour.scheduler.lines import Rank
from petahour.scheduler.policy import Policy
from petahour.scheduler.quota import Share, share_of
from petahour.scheduler.state import State

FIRST_LEVEL_MS = 10 * MINUTE_MS  # accelerator time of the first level of attained service; each next one doubles


def level_of(attained_ms: int, accelerators: int) -> int:
    """The level of two-dimensional attained service, accelerators x time, on a doubling scale from 0."""
    return int(log2(attained_ms * accelerators / FIRST_LEVEL_MS + 1.0))


def _one_line(state: State, job: Waiting) -> int:
    return 0


def _by_arrival(state: State, job: Waiting) -> Rank:
    return ()


def _first_come(state: State, job: Waiting, now_ms: int) -> Rank:
    return (job.seq,)


def _by_work(state: State, job: Waiting) -> Rank:
    return (job.work_ms or 0,)


def _least_work(state: State, job: Waiting, now_ms: int) -> Rank:
    return (job.work_ms or 0,)


def _level(state: State, job: Waiting) -> int:
    return level_of(job.attained_ms, job.ask.accelerators)


def _least_level(state: State, job: Waiting, now_ms: int) -> Rank:
    return (level_of(job.attained_ms, job.ask.accelerators), job.seq)


def _level_turns_ms(state: State, running: Running, now_ms: int) -> int | None:
    level = level_of(running.job.attained_ms + now_ms - running.placed_ms, running.job.ask.accelerators)
    edge_ms = (2 ** (level + 1) - 1) * FIRST_LEVEL_MS / running.job.ask.accelerators
    return int(running.placed_ms + edge_ms - running.job.attained_ms) + 1


def _tenant_share(state: State, job: Waiting, now_ms: int) -> Rank:
    return (state.service.of(job.ask.tenant, now_ms), job.seq)


_TIER = {Tier.RESERVED: 0, Tier.ON_DEMAND: 1, Tier.SPOT: 2}


def _nominal(state: State, job: Waiting) -> bool:
    ask = job.ask
    key = (ask.tenant, ask.types[0])
    share = share_of(
        state.quotas.get(key), state.used.get(key, 0), tier=ask.tier, accelerators=ask.accelerators
    )  # fmt: skip
    return share is Share.NOMINAL


def _petahour(state: State, job: Waiting, now_ms: int) -> Rank:
    ask = job.ask
    return (
        _TIER[ask.tier],
        not _nominal(state, job),
        -ask.priority,
        job.seq,
    )


FIFO = Policy(name="fifo", line=_one_line, rank=_by_arrival, urgency=_first_come, shared=True, strict=True)
BACKFILL = Policy(name="backfill", line=_one_line, rank=_by_arrival, urgency=_first_come, backfill=True)
SJF = Policy(
    name="sjf", line=_one_line, rank=_by_work, urgency=_least_work, shared=True, strict=True, oracle=True
)  # fmt: skip
SRTF = Policy(
    name="srtf",
    line=_one_line,
    rank=_by_work,
    urgency=_least_work,
    claim=lambda state, job, ran_ms: float((job.work_ms or 0) - ran_ms),
    oracle=True,
)
LAS = Policy(
    name="las",
    line=_level,
    rank=_by_arrival,
    urgency=_least_level,
    claim=lambda state, job, ran_ms: float(level_of(job.attained_ms + ran_ms, job.ask.accelerators)),
    turns_ms=_level_turns_ms,
)
DRF = Policy(name="drf", line=_one_line, rank=_by_arrival, urgency=_tenant_share)
PETAHOUR = Policy(name="petahour", line=_one_line, rank=_by_arrival, urgency=_petahour)

POLICIES = {policy.name: policy for policy in (FIFO, BACKFILL, SJF, SRTF, LAS, DRF, PETAHOUR)}


def policy_named(name: str) -> Policy:
    """Raises ValidationError for a name that no policy has."""
    policy = POLICIES.get(name)
    if policy is None:
        raise ValidationError(
            field="policy", value=name, rule=f"one of {', '.join(POLICIES)}", remedy="Choose a policy by its name."
        )
    return policy
