"""The party: who takes turns on a mixed fleet at an instant, and what is theirs to share, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from petahour.model.time import SECOND_MS
from petahour.scheduler.ask import Running, Waiting
from petahour.scheduler.shares.demand import Demand
from petahour.scheduler.shares.linear import Floats, Ints
from petahour.scheduler.shares.rounds import NOWHERE
from petahour.scheduler.state import State
from petahour.scheduler.terms import Terms
from petahour.scheduler.veil import Veil


@dataclass(frozen=True, kw_only=True, slots=True)
class Party:
    """The jobs that take turns, in order of arrival, as arrays: see ``Demand``. ``remaining_s`` on the first type.

    ``runs``: of each job its run, where it has one. ``types``: the columns, the fastest first.
    """

    types: tuple[str, ...]
    jobs: Sequence[Waiting]
    runs: Sequence[Running | None]
    demand: Demand
    remaining_s: Floats
    elapsed_s: Floats
    before: Ints


def may_stop(state: State, running: Running, now_ms: int) -> bool:
    """Whether the run takes turns and the bounds on preemption let it be stopped now; else it stays where it is."""
    if running.stopping or not state.takes_turns(running.job):
        return False
    return state.bounds.allow(running.job, now_ms - running.placed_ms, now_ms)


def party_of(state: State, now_ms: int, terms: Terms, veil: Veil | None) -> Party:
    """All that take turns, waiting and running, and the accelerators that are theirs to share.

    A job has a speed on the types where a place could be made for it, by stopping whoever takes turns.
    """
    here: list[tuple[int, Waiting, Running | None]] = [(job.seq, job, None) for job in state.turning.values()]
    for runs in state.spot.values():
        here += [(run.job.seq, run.job, run) for run in runs.values() if may_stop(state, run, now_ms)]
    here.sort(key=lambda item: item[0])
    jobs, runs_of = [job for _, job, _ in here], [run for _, _, run in here]
    can, free = _places(state, terms, veil, jobs, [run for run in runs_of if run is not None])
    # Who could have no place whoever stopped takes no part: he would have everybody decide again, for nothing.
    part = [row for row, run in enumerate(runs_of) if run is not None or can[row]]
    jobs, runs_of, can = [jobs[row] for row in part], [runs_of[row] for row in part], [can[row] for row in part]
    types = _fastest_first(state, jobs)
    number = {name: place for place, name in enumerate(types)}
    speeds, capacities = np.zeros((len(jobs), len(types))), [free[name] for name in types]
    before, left_ms = [], []
    for row, (job, run) in enumerate(zip(jobs, runs_of, strict=True)):
        for name in can[row]:
            speeds[row, number[name]] = job.ask.speed(name)
        if run is None:
            before.append(NOWHERE)
            left_ms.append(_left_ms(state, job, 0, 1.0))
        else:
            place, speed = number[run.type], job.ask.speed(run.type)
            before.append(place)
            capacities[place] += run.accelerators
            speeds[row, place] = speed
            left_ms.append(_left_ms(state, job, now_ms - run.placed_ms, speed))
    demand = Demand(
        speeds=speeds,
        gangs=np.array([job.ask.accelerators for job in jobs], np.int64),
        capacities=np.array(capacities, np.int64),
    )
    return Party(
        types=types,
        jobs=jobs,
        runs=runs_of,
        demand=demand,
        remaining_s=np.array(left_ms, np.float64) / SECOND_MS,
        elapsed_s=np.array([(now_ms - job.submitted_ms) / SECOND_MS for job in jobs]),
        before=np.array(before, np.int64),
    )


def _places(
    state: State, terms: Terms, veil: Veil | None, jobs: Sequence[Waiting], runs: Sequence[Running]
) -> tuple[list[tuple[str, ...]], dict[str, int]]:
    """Of each job the types where it finds a place once all the runs are stopped; how much is free of each type now.

    What is free is what any of the jobs may see.
    """
    room = state.room
    can: list[tuple[str, ...]] = [()] * len(jobs)
    free = dict.fromkeys(room.by_type, 0)
    sights: dict[tuple[int, ...], list[int]] = {}
    for row, job in enumerate(jobs):
        sights.setdefault(() if veil is None else veil.hidden(job), []).append(row)
    for rows in sights.values():
        if veil is not None:
            veil.over(jobs[rows[0]])
        for name, pools in room.by_type.items():
            free[name] = max(free[name], sum(pool.free for pool in pools))
        shown = runs if veil is None else [veil.shown(room.pools[run.pool], run) for run in runs]
        for run in shown:
            room.pools[run.pool].give(run.grants)
            terms.give(run)
        known: dict[tuple[object, ...], tuple[str, ...]] = {}
        for row in rows:
            job = jobs[row]
            key = (job.ask, job.walltime_ms if state.money is not None else None)
            if key not in known:
                known[key] = tuple(name for name in job.ask.types if _has_place(state, terms, job, name))
            can[row] = known[key]
        for run in shown:
            room.pools[run.pool].take(run.grants)
            terms.take_back(run)
    return can, free


def _has_place(state: State, terms: Terms, job: Waiting, type_name: str) -> bool:
    pools = [pool for pool in state.room.by_type.get(type_name, ()) if pool.fits(job.ask.gang, job.ask.rest)]
    if not pools or terms.barred(job, type_name) is not None:
        return False
    micros = terms.holds_micros(job, type_name) or 0
    return any(terms.short_micros(job.ask.tenant, micros, pool) == 0 for pool in pools)


def _fastest_first(state: State, jobs: Sequence[Waiting]) -> tuple[str, ...]:
    """The fleet's types by how fast they are for those who take turns, on average; by name where that ties."""
    total = dict.fromkeys(state.room.by_type, 0.0)
    for job in jobs:
        best = max(job.ask.speeds, default=1.0)
        for name in job.ask.types:
            if name in total:
                total[name] += job.ask.speed(name) / best
    return tuple(sorted(total, key=lambda name: (-total[name], name)))


def _left_ms(state: State, job: Waiting, ran_ms: int, speed: float) -> float:
    """Work still to do, in ms on the job's first type: declared, or expected."""
    if job.declared_ms is not None:
        return max(1.0, job.declared_ms - ran_ms * speed)
    return max(1.0, state.expectation.remaining_ms(job, job.attained_ms + ran_ms))
