"""Audit of promises: what must hold of a replay's reservations, recomputed from its runs and placements alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from petahour.model.jobs import Tier
from petahour.model.promises import Reservation
from petahour.simulator.finding import MOST, Finding, told
from petahour.simulator.result import NEVER, Result

LAST_MS = 2**62  # after every instant


def kept_reservations(result: Result) -> list[Finding]:
    """Seats are promised once, are nobody else's in their window, and their owner's work finds them."""
    if not result.reservations:
        return []
    findings = _promised_once(result)
    for reservation in result.reservations:
        findings += _left_alone(result, reservation)
        findings += _found(result, reservation)
    return findings + _owned(result)


def _promised_once(result: Result) -> list[Finding]:
    """No accelerator is promised to two at one instant, and each is one of its node's, of the type."""
    findings = []
    nodes = {node.name: node for node in result.nodes}
    taken: dict[tuple[str, int], list[Reservation]] = {}
    for one in result.reservations:
        places = [(seat.node, index) for seat in one.seats for index in seat.indexes]
        wrong = [at for at in places if nodes[at[0]].type != one.type or not 0 <= at[1] < nodes[at[0]].accelerators]
        if wrong or len(set(places)) != one.accelerators:
            findings.append(Finding(rule="a reservation has all its seats, of its type", detail=one.id))
        for place in places:
            for other in taken.setdefault(place, []):
                if one.from_ms < other.to_ms and other.from_ms < one.to_ms:
                    findings.append(
                        Finding(rule="no seat is promised twice", detail=f"{place[0]} to {other.id} and {one.id}")
                    )
            taken[place].append(one)
    return findings


def _left_alone(result: Result, reservation: Reservation) -> list[Finding]:
    """In its window the others hold no more of its nodes than is left beside its seats.

    Spot does not count where the owner lends, or where it was there before. Nor does what outlives its walltime or
    the reservation on whose seats it lies: nobody could know that it would stay.
    """
    runs, placed, jobs = result.runs, result.placements, result.trace.jobs
    spot = np.array([result.preemptible or job.tier is Tier.SPOT for job in jobs], np.bool_)[runs.job]
    walltime_ms = np.array([NEVER if job.walltime_ms is None else job.walltime_ms for job in jobs], np.int64)[
        runs.job
    ]
    early = runs.start_ms < reservation.from_ms
    over = (walltime_ms != NEVER) & (runs.start_ms + walltime_ms <= reservation.from_ms)
    own = np.array([job.tenant == reservation.tenant for job in jobs], np.bool_)[runs.job]
    counted = ~(early & over) & ~(spot & (early | reservation.lends)) & ~(own & (runs.seated_until_ms != NEVER))
    findings: list[Finding] = []
    numbers = {node.name: number for number, node in enumerate(result.nodes)}
    for seat in reservation.seats:
        node = numbers[seat.node]
        left = result.nodes[node].accelerators - len(seat.indexes)
        mine = (placed.node == node) & counted[placed.run]
        held, at_ms = _levels(result, placed.run[mine], placed.accelerators[mine], reservation)
        findings += [
            Finding(
                rule="seats are nobody else's in their window",
                detail=f"others hold {held[step]} of {seat.node} at {at_ms[step]} ms, {reservation.id} leaves {left}",
            )
            for step in np.flatnonzero(held > left)[:MOST].tolist()
        ]
    return findings


def _levels(
    result: Result, run: NDArray[np.int64], count: NDArray[np.int32], reservation: Reservation
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How much these runs hold after each change within the window, and when."""
    start_ms = np.maximum(result.runs.start_ms[run], reservation.from_ms)
    seated_ms = result.runs.seated_until_ms[run]
    end_ms = np.minimum(np.where(seated_ms == NEVER, LAST_MS, seated_ms), reservation.to_ms)
    end_ms = np.minimum(end_ms, result.runs.end_ms[run])
    meets = start_ms < end_ms
    wide = count[meets].astype(np.int64)
    at_ms = np.concatenate((end_ms[meets], start_ms[meets]))
    change = np.concatenate((-wide, wide))
    order = np.lexsort((change, at_ms))
    return np.cumsum(change[order]), at_ms[order]


def _owned(result: Result) -> list[Finding]:
    """Only reserved work whose tenant has a reservation then lies on seats."""
    runs, jobs = result.runs, result.trace.jobs
    wrong = []
    for run in np.flatnonzero(runs.seated_until_ms != NEVER).tolist():
        job, at_ms = jobs[runs.job[run]], runs.start_ms[run]
        if job.tier is not Tier.RESERVED or not any(
            one.tenant == job.tenant and one.from_ms <= at_ms < one.to_ms for one in result.reservations
        ):
            wrong.append(run)
    return told(
        "seats are for their owner's reserved work",
        np.array(wrong, np.int64),
        lambda run: f"run {run} of job {jobs[runs.job[run]].id}",
    )


def _found(result: Result, reservation: Reservation) -> list[Finding]:
    """Reserved work that its tenant's only reservation holds starts at once where nothing else lies on the seats.

    Where something was out of service on its nodes nothing is said.
    """
    names = {seat.node for seat in reservation.seats}
    alone = sum(one.tenant == reservation.tenant for one in result.reservations) == 1
    if not alone or result.preemptible or any(result.nodes[one.node].name in names for one in result.outages):
        return []
    runs, jobs = result.runs, result.trace.jobs
    own = np.array([job.tenant == reservation.tenant and job.tier is Tier.RESERVED for job in jobs], np.bool_)
    seated = np.flatnonzero(own[runs.job] & (runs.seated_until_ms != NEVER))
    start_ms, end_ms = runs.start_ms[seated], runs.end_ms[seated]
    wrong = []
    for number in np.flatnonzero(own).tolist():
        job = jobs[number]
        if job.accelerators > reservation.per_node or {*(job.types or result.types)} != {reservation.type}:
            continue  # Nothing is said of gangs of several nodes, and of choices between types.
        from_ms = max(job.submit_ms, reservation.from_ms)
        until_ms = int(result.jobs.start_ms[number])
        until_ms = reservation.to_ms if until_ms == NEVER else min(until_ms, reservation.to_ms)
        if from_ms < until_ms and not ((start_ms <= from_ms) & (end_ms > from_ms)).any():
            wrong.append(number)
    return told(
        "reserved work finds its seats",
        np.array(wrong, np.int64),
        lambda number: f"job {jobs[number].id} waits though nothing lies on {reservation.id}",
    )
