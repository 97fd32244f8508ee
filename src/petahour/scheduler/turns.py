"""Turns: work that may be stopped shares a mixed fleet in time, so that each job runs where its speed counts most."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from petahour.model.time import SECOND_MS
from petahour.scheduler.party import Party, party_of
from petahour.scheduler.shares.chips import Promise, Rules, choose, presses, promise
from petahour.scheduler.shares.demand import Demand
from petahour.scheduler.shares.finish_time import alone_speeds, finish_time
from petahour.scheduler.shares.least_end import least_end, no_plan
from petahour.scheduler.shares.linear import Floats, Ints
from petahour.scheduler.shares.max_min import max_min
from petahour.scheduler.shares.rounds import NOWHERE, Account, next_round
from petahour.scheduler.state import State
from petahour.scheduler.terms import Terms
from petahour.scheduler.veil import Veil

ROUND_MS = 360 * SECOND_MS  # Gavel's round
PLANNED = 150  # jobs for which the least end is computed
SHARES_MS = 1_920 * SECOND_MS  # Gavel computes shares anew at most so often


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """What one job had: time received on each type since shares were last computed, what is owed to it, its part.

    On each of ``Turns.types``, in that order.
    """

    received_ms: tuple[float, ...]
    owed_ms: tuple[float, ...]
    share: tuple[float, ...]
    alone_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Turns:
    """Who runs on which type until ``until_ms``, as decided at ``made_ms``, and what the next decision must know.

    ``ran``: job -> type of those that ran after the last pass, which was at ``seen_ms``.
    """

    made_ms: int
    until_ms: int
    on: Mapping[str, str]
    seen_ms: int
    ran: Mapping[str, str]
    past: Mapping[str, Past] = field(default_factory=dict)
    types: tuple[str, ...] = ()
    shared_ms: int | None = None
    crowd: frozenset[str] = frozenset()
    promise: Promise = field(default_factory=Promise)


Share = Callable[[Party, Turns | None, int], Turns]


def any_turns(state: State) -> bool:
    """Whether anybody may take turns; asked once in a pass, as most floors have nobody."""
    rounds = state.policy.rounds
    return rounds is not None and (rounds.everybody or state.asks.measured)


def turns_of(state: State, now_ms: int, terms: Terms, veil: Veil | None) -> tuple[Party, Turns]:
    """The turns now in force, made anew where their time is over or who takes part has changed."""
    rounds, held = state.policy.rounds, state.turns
    assert rounds is not None
    party = party_of(state, now_ms, terms, veil)
    if held is not None and held.made_ms == now_ms:
        return party, held
    return party, rounds.share(party, held, now_ms)


def by_chips(party: Party, held: Turns | None, now_ms: int) -> Turns:
    """Least work first on the types where it counts most, and nobody past the promised end: see ``shares.chips``."""
    rules, now_s, crowd = Rules(), now_ms / SECOND_MS, frozenset(job.id for job in party.jobs)
    arrived = held is None or not crowd <= held.crowd
    old = held.promise if held is not None else Promise()
    demand, remaining_s = party.demand, party.remaining_s
    # A large crowd keeps every type busy by itself, and the program would take longer than it is worth.
    planned = len(party.jobs) <= PLANNED and presses(
        old, demand, remaining_s, now_s=now_s, arrived=arrived, rules=rules
    )
    plan = least_end(demand, remaining_s) if planned else no_plan(demand)
    kept = promise(old, demand, remaining_s, plan, now_s=now_s, arrived=arrived, rules=rules)
    chosen = choose(demand, remaining_s, plan, kept, now_s=now_s, before=party.before, rules=rules)
    made = _made(party, chosen.on, now_ms, now_ms + rules.round_ms)
    return replace(made, crowd=crowd, promise=kept)


def by_max_min(party: Party, held: Turns | None, now_ms: int) -> Turns:
    """Gavel's max-min fairness in rounds."""
    return _by_shares(party, held, now_ms, lambda party, past: max_min(party.demand))


def by_finish_time(party: Party, held: Turns | None, now_ms: int) -> Turns:
    """Gavel's finish-time fairness in rounds."""

    def shares(party: Party, past: Sequence[Past]) -> Floats:
        alone_s = np.array([item.alone_s for item in past])
        return finish_time(
            party.demand, remaining=np.maximum(party.remaining_s, 1e-3), elapsed_s=party.elapsed_s, alone_s=alone_s
        )

    return _by_shares(party, held, now_ms, shares)


def _by_shares(
    party: Party, held: Turns | None, now_ms: int, share: Callable[[Party, Sequence[Past]], Floats]
) -> Turns:
    crowd = frozenset(job.id for job in party.jobs)
    past = _past(party, held, now_ms)
    if held is not None and now_ms < held.until_ms:
        # Within a round nobody is stopped; who fits beside those that run may begin.
        fixed = party.before != NOWHERE
        taken = np.bincount(party.before[fixed], party.demand.gangs[fixed], minlength=len(party.types))
        room = party.demand.capacities - taken.astype(np.int64)
        speeds = np.where(fixed[:, None], 0.0, party.demand.speeds)
        rest = Demand(speeds=speeds, gangs=party.demand.gangs, capacities=room)
        filled = next_round(rest, _shares(past, party), _account(past, party), before=party.before)
        on = np.where(fixed, party.before, filled.on)
        made = _made(party, on, now_ms, held.until_ms)
        return replace(made, past=_by_id(party, past), types=party.types, shared_ms=held.shared_ms, crowd=held.crowd)
    shared_ms, known = (held.shared_ms, held.crowd) if held is not None else (None, frozenset[str]())
    other = held is not None and set(held.types) != set(party.types)
    if shared_ms is None or other or (crowd != known and now_ms - shared_ms >= SHARES_MS) or not crowd <= known:
        x = share(party, past)
        since_ms = 0 if shared_ms is None else now_ms - shared_ms
        past = [_renewed(item, x[row], since_ms) for row, item in enumerate(past)]
        shared_ms, known = now_ms, crowd
    chosen = next_round(party.demand, _shares(past, party), _account(past, party), before=party.before)
    made = _made(party, chosen.on, now_ms, now_ms + ROUND_MS)
    return replace(made, past=_by_id(party, past), types=party.types, shared_ms=shared_ms, crowd=known)


def _past(party: Party, held: Turns | None, now_ms: int) -> list[Past]:
    """What each job had up to now."""
    count = len(party.types)
    fresh = Past(received_ms=(ROUND_MS / 2,) * count, owed_ms=(0.0,) * count, share=(0.0,) * count)
    alone = alone_speeds(party.demand)
    known = []
    number = {name: place for place, name in enumerate(party.types)}
    for row, job in enumerate(party.jobs):
        item = held.past.get(job.id, fresh) if held is not None else fresh
        if held is not None and item is not fresh and held.types != party.types:
            item = _in_columns(item, held.types, party.types)
        ran_on = held.ran.get(job.id) if held is not None else None
        if held is not None and ran_on in number:
            place, ran_ms = number[ran_on], now_ms - held.seen_ms
            received = list(item.received_ms)
            received[place] += ran_ms
            did = ran_ms / SECOND_MS * float(party.demand.speeds[row, place])
            alone_s = item.alone_s + (did / float(alone[row]) if alone[row] > 0 else 0.0)
            item = replace(item, received_ms=tuple(received), alone_s=alone_s)
        known.append(item)
    return known


def _in_columns(item: Past, before: Sequence[str], types: Sequence[str]) -> Past:
    """The same where the fleet's types or their order have changed; of a new type it had nothing yet."""
    place = {name: number for number, name in enumerate(before)}

    def moved(values: tuple[float, ...], nothing: float) -> tuple[float, ...]:
        return tuple(values[place[name]] if name in place else nothing for name in types)

    return replace(
        item,
        received_ms=moved(item.received_ms, ROUND_MS / 2),
        owed_ms=moved(item.owed_ms, 0.0),
        share=moved(item.share, 0.0),
    )


def _renewed(item: Past, share: Floats, since_ms: int) -> Past:
    """What is owed is carried on when shares are replaced: see ``shares.rounds.closed``."""
    owed = tuple(
        owed + old * since_ms - (received - ROUND_MS / 2)
        for owed, old, received in zip(item.owed_ms, item.share, item.received_ms, strict=True)
    )
    return replace(
        item, owed_ms=owed, received_ms=(ROUND_MS / 2,) * len(owed), share=tuple(float(part) for part in share)
    )


def _shares(past: Sequence[Past], party: Party) -> Floats:
    return np.array([item.share for item in past]).reshape(len(past), len(party.types))


def _account(past: Sequence[Past], party: Party) -> Account:
    shape = (len(past), len(party.types))
    return Account(
        received_ms=np.array([item.received_ms for item in past]).reshape(shape),
        owed_ms=np.array([item.owed_ms for item in past]).reshape(shape),
    )


def _by_id(party: Party, past: Sequence[Past]) -> dict[str, Past]:
    return {job.id: item for job, item in zip(party.jobs, past, strict=True)}


def _made(party: Party, on: Ints, now_ms: int, until_ms: int) -> Turns:
    chosen = {
        job.id: party.types[place] for job, place in zip(party.jobs, on.tolist(), strict=True) if place != NOWHERE
    }
    return Turns(made_ms=now_ms, until_ms=until_ms, on=chosen, seen_ms=now_ms, ran=chosen)
