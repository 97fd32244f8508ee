"""Rounds: shares of time become turns on whole gangs of accelerators."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from petahour.scheduler.shares.demand import Demand
from petahour.scheduler.shares.linear import Bools, Floats, Ints

NOWHERE = -1  # the type of a job that does not run


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Account:
    """What the jobs had since the shares were last computed.

    ``received_ms[job, type]``: time run there, plus the half round every job starts with, so that nobody divides by
    nothing. ``owed_ms[job, type]``: what earlier shares promised less what came of it; it breaks ties.
    """

    received_ms: Floats
    owed_ms: Floats


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Round:
    """``on[job]``: the type it runs on in this round, or ``NOWHERE``. The others are lists of jobs, ascending.

    A job that ``stays`` has its lease renewed; one that ``moves`` runs on another type than before.
    """

    on: Ints
    stays: tuple[int, ...]
    starts: tuple[int, ...]
    moves: tuple[int, ...]
    stops: tuple[int, ...]


def opened(jobs: int, types: int, *, round_ms: int) -> Account:
    """The account of jobs that had nothing yet."""
    return Account(received_ms=np.full((jobs, types), round_ms / 2), owed_ms=np.zeros((jobs, types)))


def closed(account: Account, shares: Floats, *, since_ms: int, round_ms: int) -> Account:
    """The account to go on with when the shares of the last ``since_ms`` are replaced: what is owed is carried on."""
    received_ms = account.received_ms - round_ms / 2
    return Account(
        received_ms=np.full_like(received_ms, round_ms / 2), owed_ms=account.owed_ms + shares * since_ms - received_ms
    )


def next_round(demand: Demand, shares: Floats, account: Account, *, before: Ints) -> Round:
    """Who runs where in the next round.

    A job's priority on a type is its share over the part it had of all time received there. The types are filled
    in the order of their columns, the fastest first by custom, each by priority, then by what is owed, then by
    share, then with who runs there already, then by job number. Who has no share but fits still runs: no
    accelerator stays idle that someone could use. Source: Narayanan et al., OSDI 2020, section 5 and algorithm 1.
    """
    total_ms = account.received_ms.sum(axis=0)
    fraction = np.divide(account.received_ms, total_ms, out=np.zeros_like(shares), where=total_ms > 0)
    # One who received nothing comes before all others, by share.
    priority = np.where(fraction > 0, shares / np.where(fraction > 0, fraction, 1.0), shares * 1e9)
    numbers = np.arange(len(shares))
    pairs = [
        (int(job), type_number)
        for type_number in range(shares.shape[1])
        for job in np.lexsort(
            (
                numbers,
                before != type_number,
                -shares[:, type_number],
                -account.owed_ms[:, type_number],
                -priority[:, type_number],
            )
        )
    ]
    return turn(demand, pairs, before=before)


def turn(demand: Demand, pairs: Iterable[tuple[int, int]], *, before: Ints) -> Round:
    """Place jobs by pairs of job and type, the first pair first, as far as they fit; each job once and whole."""
    usable, gangs, free = demand.usable, demand.gangs.tolist(), demand.capacities.tolist()
    on = np.full(len(gangs), NOWHERE, dtype=np.int64)
    for job, type_number in pairs:
        if on[job] == NOWHERE and gangs[job] <= free[type_number] and usable[job, type_number] > 0:
            on[job] = type_number
            free[type_number] -= gangs[job]
    ran, runs = before != NOWHERE, on != NOWHERE
    return Round(
        on=on,
        stays=_numbers(runs & (on == before)),
        starts=_numbers(runs & ~ran),
        moves=_numbers(runs & ran & (on != before)),
        stops=_numbers(ran & ~runs),
    )


def _numbers(mask: Bools) -> tuple[int, ...]:
    return tuple(np.flatnonzero(mask).tolist())
