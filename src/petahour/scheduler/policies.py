"""The policies by name."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from math import inf, log2

from petahour.model.errors import ValidationError
from petahour.model.jobs import Tier
from petahour.model.time import DAY_MS, HOUR_MS, MINUTE_MS
from petahour.scheduler import kind
from petahour.scheduler.ask import Running, Waiting
from petahour.scheduler.line import Rank
from petahour.scheduler.policy import Policy, Rounds
from petahour.scheduler.quota import Share, share_of
from petahour.scheduler.state import State
from petahour.scheduler.turns import by_chips, by_finish_time, by_max_min

PATIENCE_MS = DAY_MS  # a job that was queued for longer goes first,
PATIENCE_RUNS = 32  # unless jobs run so long here that so many mean run times are more
KEEPING_RUNS = 0.25  # accelerators are kept for a gang once it was queued for so many mean run times
AGEING_RUNS = 0.5  # a wait of so many mean run times doubles the claim of work that cannot be taken back
IN_TURN = 1.5  # doublings for each doubling of its place in a stretch that runs alike, of work that can be stopped
UNTRIED = 1.5  # doublings for a job that would tell of its row: what becomes known of it helps all that follow
KEEPS_MS = 10_000  # for so long nothing that matters changes by itself
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


Urgency = Callable[[State, Waiting, int], Rank]

_FIRST = -(2.0**52)  # before every other claim, and still exact to one
_TIER = {Tier.RESERVED: 0, Tier.ON_DEMAND: 1, Tier.SPOT: 2}


def _nominal(state: State, job: Waiting) -> bool:
    if not state.quotas:
        return False
    ask = job.ask
    key = (ask.tenant, ask.types[0])
    holds = state.room.holds(ask, ask.types[0])
    share = share_of(state.quotas.get(key), state.used.get(key, 0), tier=ask.tier, accelerators=holds)
    return share is Share.NOMINAL


def _aged(state: State, job: Waiting, attained_ms: int, now_ms: int) -> bool:
    """Whether the job has been queued beyond the bound; the same throughout a run, so that a start is kept."""
    queued_ms = now_ms - job.submitted_ms - attained_ms
    return queued_ms > PATIENCE_MS and queued_ms > PATIENCE_RUNS * state.expectation.mean_ms


def _worth(state: State, job: Waiting, attained_ms: int, now_ms: int) -> float:
    """log2 of the accelerator time expected per end, more for a tenant above its even share: the least goes first."""
    expectation, ask = state.expectation, job.ask
    if ask.tier is Tier.SPOT:
        # Those of a stretch run alike: in turn, the first ends early; side by side, all of them end late.
        value = log2(expectation.index_ms(job, attained_ms))
        if job.sweep is not None:
            value += IN_TURN * job.sweep.likeness.slope * log2(job.place)
    else:
        value = log2(expectation.run_ms(job, now_ms)) + _known(state, job) - _age(state, job, now_ms)
    return value + log2(ask.accelerators) + state.service.excess(ask.tenant, now_ms)


def _known(state: State, job: Waiting) -> float:
    """What cannot be taken back is tried by one job of each row before more of a row follow; in doublings."""
    sweep = job.sweep
    if sweep is None or state.expectation.name(job):  # where its name tells how long it runs, nothing is tried
        return 0.0
    tried = len(sweep.running)
    return log2(1 + tried / 2) if tried or sweep.ended else -UNTRIED


def _age(state: State, job: Waiting, now_ms: int) -> float:
    """How many times a wait has doubled a claim: by and by, so that no crowd of old jobs turns the order round."""
    queued_ms = max(0, now_ms - job.submitted_ms - job.attained_ms)
    return log2(1 + queued_ms / (AGEING_RUNS * (state.expectation.mean_ms or HOUR_MS)))


def _claim(state: State, job: Waiting, ran_ms: int, now_ms: int) -> float:
    attained_ms = job.attained_ms + ran_ms
    if _aged(state, job, attained_ms, now_ms):
        return _FIRST + job.seq
    worth = _worth(state, job, attained_ms, now_ms)
    # Whole doublings: runs that differ by less do not change places.
    return float(int(worth)) if job.ask.tier is Tier.SPOT else worth


def _petahour(state: State, job: Waiting, now_ms: int) -> Rank:
    ask = job.ask
    claim = _claim(state, job, 0, now_ms)
    return (_TIER[ask.tier], not _nominal(state, job), -ask.priority, claim, job.seq)


def _gittins(state: State, job: Waiting, ran_ms: int, now_ms: int) -> float:
    """The index in whole doublings of accelerator time per end."""
    return float(int(log2(state.expectation.index_ms(job, job.attained_ms + ran_ms) * job.ask.accelerators)))


def _petahour_line(state: State, job: Waiting) -> Hashable:
    return id(job.sweep), state.expectation.name(job), kind.level_of(job.attained_ms)


def _by_walltime(state: State, job: Waiting) -> Rank:
    """Of a row, short walltimes first, and who declares none last."""
    return (inf if job.walltime_ms is None else job.walltime_ms,)


def _petahour_reserves(state: State, job: Waiting, now_ms: int) -> bool:
    if job.ask.tier is Tier.SPOT:  # accelerators stand idle for it only where it has waited beyond the bound
        return _aged(state, job, job.attained_ms, now_ms)
    queued_ms = now_ms - job.submitted_ms - job.attained_ms
    return queued_ms > KEEPING_RUNS * (state.expectation.mean_ms or HOUR_MS)


def _edge_turns_ms(state: State, running: Running, now_ms: int) -> int:
    attained_ms = running.job.attained_ms + now_ms - running.placed_ms
    return now_ms + kind.next_edge_ms(attained_ms) - attained_ms


def _cheapest_types(state: State, job: Waiting) -> Sequence[str]:
    """The acceptable types by price per work, the least first; the faster, then the preferred one where that ties.

    Price per work is the tenant's price per accelerator-hour over the speed there. Without prices all cost the same,
    so that the fastest comes first. What is not sold comes last.
    """
    ask, money = job.ask, state.money
    if len(ask.types) == 1:
        return ask.types

    def cost(name: str) -> tuple[bool, float, float, int]:
        price = 1 if money is None else money.price_micros(ask, name)
        speed = ask.speed(name)
        return (True, 0.0, -speed, 0) if price is None else (False, price / speed, -speed, price)

    return sorted(ask.types, key=cost)


def _firmer_first(urgency: Urgency) -> Urgency:
    """Firmer tiers before all other: whoever was stopped for them does not take their accelerators again."""
    return lambda state, job, now_ms: (_TIER[job.ask.tier], *urgency(state, job, now_ms))


FIFO = Policy(name="fifo", line=_one_line, rank=_by_arrival, urgency=_first_come, shared=True, strict=True)
BACKFILL = Policy(
    name="backfill", line=_one_line, rank=_by_arrival, urgency=_firmer_first(_first_come), backfill=True
)
SJF = Policy(
    name="sjf", line=_one_line, rank=_by_work, urgency=_least_work, shared=True, strict=True, oracle=True
)  # fmt: skip
SRTF = Policy(
    name="srtf",
    line=_one_line,
    rank=_by_work,
    urgency=_firmer_first(_least_work),
    claim=lambda state, job, ran_ms, now_ms: float((job.work_ms or 0) - ran_ms),
    oracle=True,
)
LAS = Policy(
    name="las",
    line=_level,
    rank=_by_arrival,
    urgency=_firmer_first(_least_level),
    claim=lambda state, job, ran_ms, now_ms: float(level_of(job.attained_ms + ran_ms, job.ask.accelerators)),
    turns_ms=_level_turns_ms,
)
GITTINS = Policy(
    name="gittins",
    line=_petahour_line,
    rank=_by_arrival,
    urgency=_firmer_first(lambda state, job, now_ms: (_gittins(state, job, 0, now_ms), job.seq)),
    claim=_gittins,
    turns_ms=_edge_turns_ms,
    keeps_ms=KEEPS_MS,
)
DRF = Policy(name="drf", line=_one_line, rank=_by_arrival, urgency=_firmer_first(_tenant_share))
PETAHOUR = Policy(
    name="petahour",
    line=_petahour_line,
    rank=_by_walltime,
    urgency=_petahour,
    backfill=True,
    predicts=True,
    keeps_ms=KEEPS_MS,
    patient=True,
    reserves=_petahour_reserves,
    claim=_claim,
    turns_ms=_edge_turns_ms,
    rounds=Rounds(share=by_chips, everybody=False),
)
CHEAPEST = Policy(
    name="cheapest",
    line=_one_line,
    rank=_by_arrival,
    urgency=_firmer_first(_first_come),
    types=_cheapest_types,
    backfill=True,
    predicts=True,
    priced=True,
)
MAX_MIN = Policy(
    name="max-min",
    line=_one_line,
    rank=_by_arrival,
    urgency=_firmer_first(_first_come),
    rounds=Rounds(share=by_max_min, everybody=True),
)
FINISH_TIME = Policy(
    name="finish-time",
    line=_one_line,
    rank=_by_arrival,
    urgency=_firmer_first(_first_come),
    rounds=Rounds(share=by_finish_time, everybody=True),
)

POLICIES = {
    policy.name: policy
    for policy in (FIFO, BACKFILL, SJF, SRTF, LAS, GITTINS, DRF, CHEAPEST, MAX_MIN, FINISH_TIME, PETAHOUR)
}


def policy_named(name: str) -> Policy:
    """Raises ValidationError for a name that no policy has."""
    policy = POLICIES.get(name)
    if policy is None:
        raise ValidationError(
            field="policy", value=name, rule=f"one of {', '.join(POLICIES)}", remedy="Choose a policy by its name."
        )
    return policy
