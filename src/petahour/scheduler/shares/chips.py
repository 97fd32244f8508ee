"""The choice of chip: short work first, on the types where it counts most, and nobody past the promised end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from petahour.scheduler.shares.demand import Demand
from petahour.scheduler.shares.least_end import Plan, no_plan, soon_end
from petahour.scheduler.shares.linear import Bools, Floats, Ints
from petahour.scheduler.shares.rounds import Round, turn


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What may be tuned; the defaults are the measured ones.

    ``stretch``: a promise gives the longest job at least so many times its own best time. ``loose``: below this
    ratio of least end to promise nothing presses and the plan is not asked. ``closing``: the last part of a promise,
    in which the longest work goes first so that all types run out of work together. ``stay``: work counts as so
    much less where it runs already. ``round_ms``: how often to decide again besides arrivals and ends.
    """

    stretch: float = 2.0
    loose: float = 0.9
    closing: float = 0.35
    stay: float = 0.1
    round_ms: int = 360_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """All that is here will be over at ``ends_s``; the promise was made ``span_s`` before that."""

    ends_s: float = 0.0
    span_s: float = 0.0


def presses(held: Promise, demand: Demand, remaining: Floats, *, now_s: float, arrived: bool, rules: Rules) -> bool:
    """Whether promise or choice may depend on the plan of least end, which takes long to find.

    It does not where each job's time on its fastest type alone is over well before the promise: the least end is
    sooner still, so it moves no promise and nothing presses.
    """
    ends_s = promise(held, demand, remaining, no_plan(demand), now_s=now_s, arrived=arrived, rules=rules).ends_s
    return soon_end(demand, remaining) >= rules.loose * (ends_s - now_s)


def promise(
    held: Promise, demand: Demand, remaining: Floats, plan: Plan, *, now_s: float, arrived: bool, rules: Rules
) -> Promise:
    """The promise from now on. It moves when work arrives, and else only where it can no longer be kept."""
    ends_s, span_s = held.ends_s, held.span_s
    if arrived:
        best = demand.usable.max(axis=1, initial=0.0)
        best_s = np.divide(remaining, best, out=np.zeros_like(remaining), where=best > 0)
        ends_s = max(ends_s, now_s + max(plan.end_s, rules.stretch * float(best_s.max(initial=0.0))))
        span_s = ends_s - now_s
    return Promise(ends_s=max(ends_s, now_s + plan.end_s), span_s=span_s)


def choose(
    demand: Demand, remaining: Floats, plan: Plan, held: Promise, *, now_s: float, before: Ints, rules: Rules
) -> Round:
    """Who runs where from now until the next decision.

    While nothing presses, least work first: work is seconds x accelerators on the type in question, so that each
    takes the fastest free type in its turn. When the promise needs the plan, its types come first, and those
    that must run all the time from now on before the others. In the closing part of the promise, the longest first.
    """
    left_s = held.ends_s - now_s
    if plan.end_s < rules.loose * left_s:
        order = _by_work(demand, remaining, before, rules)
    elif left_s > rules.closing * held.span_s:
        order = _by_plan(demand, remaining, plan, left_s, before, rules)
    else:
        order = _by_length(demand, remaining, plan, before, rules)
    return turn(demand, order, before=before)


Pairs = list[tuple[int, int]]


def _work(demand: Demand, remaining: Floats) -> Floats:
    """Accelerator-seconds the job still needs on each type; infinite where it cannot run."""
    usable = demand.usable
    full = np.full_like(usable, np.inf)
    return np.divide((remaining * demand.gangs)[:, None], usable, out=full, where=usable > 0)


def _here(demand: Demand, before: Ints) -> Bools:
    here: Bools = before[:, None] == np.arange(len(demand.capacities))[None, :]
    return here


def _by_work(demand: Demand, remaining: Floats, before: Ints, rules: Rules) -> Pairs:
    needs = _work(demand, remaining)
    work = needs * np.where(_here(demand, before), 1 - rules.stay, 1.0)
    return _pairs(work, -_regret(needs))


def _regret(work: Floats) -> Floats:
    """How many times as much work a pair's job has on the best of the other types; 0 where there is none."""
    if work.shape[1] < 2:
        return np.zeros_like(work)
    ordered = np.sort(work, axis=1)
    others = np.where(work == ordered[:, :1], ordered[:, 1:2], ordered[:, :1])
    return np.divide(others, work, out=np.zeros_like(work), where=np.isfinite(work) & np.isfinite(others))


def _by_plan(demand: Demand, remaining: Floats, plan: Plan, left_s: float, before: Ints, rules: Rules) -> Pairs:
    planned = _planned(plan)
    runs_s = plan.time_s.sum(axis=1)
    must = runs_s >= left_s - 2 * rules.round_ms / 1000
    rank = np.where(planned, np.where(must, 0, 1)[:, None], 2)
    here = np.where(_here(demand, before), 1 - rules.stay, 1.0)
    work = np.where(planned, (runs_s * demand.gangs)[:, None] * here, _work(demand, remaining))
    return _pairs(rank, work)


def _by_length(demand: Demand, remaining: Floats, plan: Plan, before: Ints, rules: Rules) -> Pairs:
    planned = _planned(plan)
    # Lengths are compared in half rounds: a finer comparison would change places at every decision.
    longest = -np.round(plan.time_s.sum(axis=1) / (rules.round_ms / 2000))
    zero = np.zeros(planned.shape)
    return _pairs(
        np.where(planned, 0, 1),
        np.where(planned, longest[:, None], _work(demand, remaining)),
        np.where(planned, -demand.gangs[:, None], zero),
        np.where(_here(demand, before), 0, 1),
        -plan.time_s,
    )


def _planned(plan: Plan) -> Bools:
    return plan.time_s > 1e-9 * max(plan.end_s, 1e-9)


def _pairs(*keys: Floats | Ints) -> Pairs:
    """The pairs of job and type, ordered by the keys (the first counts most), then by job and type."""
    types = keys[0].shape[1]
    order = np.lexsort([np.broadcast_to(key, keys[0].shape).ravel() for key in reversed(keys)])
    return list(zip((order // types).tolist(), (order % types).tolist(), strict=True))
