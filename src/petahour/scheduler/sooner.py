"""Sooner: the cheapest change to a job that waits with which it would start at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from petahour.model.jobs import Tier
from petahour.scheduler.ask import Ask, Waiting
from petahour.scheduler.funds import Money, beyond_limit, hold_micros
from petahour.scheduler.play import Play
from petahour.scheduler.present import Present
from petahour.scheduler.state import State

TRIED = 6  # changes for which a pass is played, the cheapest first


@dataclass(frozen=True, kw_only=True, slots=True)
class Sooner:
    """The job would start now on ``type`` in ``tier``.

    ``change``: the price of the same work relative to what the job asks for, less one (0.12: 12 % more). Where no
    speeds of the job on both types are known, the same number of accelerator-hours stands for the same work.
    """

    type: str
    tier: Tier
    change: float


def sooner(state: State, present: Present, job: Waiting, now_ms: int) -> Sooner | None:
    """None where no other type or tier that is for sale here would have the job start now, or pay for it.

    Each change is tried by a pass of the scheduler on a copy of the state.
    """
    money = state.money
    if money is None:
        return None
    paid = _price(money, job.ask, job.ask.types[0], job.ask.tier)
    if paid is None:
        return None
    offers = sorted(_offers(state, money, job), key=lambda offer: (offer[0], offer[1].ask.types))
    for price, other in offers[:TRIED]:
        if Play(present, now_ms, 0, extra=[other]).at_once(other.id):
            ask = other.ask
            return Sooner(type=ask.types[0], tier=ask.tier, change=float(price / paid - 1))
    return None


def _offers(state: State, money: Money, job: Waiting) -> Iterator[tuple[Fraction, Waiting]]:
    """(price of the work, the job so changed) for what is for sale and can be paid."""
    ask = job.ask
    for type_name in state.room.by_type:
        for tier in (ask.tier, Tier.ON_DEMAND):
            if (type_name in ask.types and tier is ask.tier) or (tier is not ask.tier and ask.tier is not Tier.SPOT):
                continue
            price = _price(money, ask, type_name, tier)
            changed = Ask(
                tenant=ask.tenant,
                tier=tier,
                priority=ask.priority,
                types=(type_name,),
                gang=ask.gang,
                rest=ask.rest,
                speeds=(ask.speed(type_name),) if type_name in ask.types else (),
                limit_micros=ask.limit_micros if tier is ask.tier else None,
            )
            if beyond_limit(money, changed, type_name) is not None:
                continue
            other = job._replace(id=f"{job.id} otherwise", ask=changed, sweep=None)
            held = hold_micros(money, other, type_name, state.room.holds(ask, type_name))
            if price is None or held is None or held > money.available_micros.get(ask.tenant, 0):
                continue
            if any(pool.could_hold(ask.gang, ask.rest) for pool in state.room.by_type[type_name]):
                yield price, other


def _price(money: Money, ask: Ask, type_name: str, tier: Tier) -> Fraction | None:
    price = money.prices_micros.get((ask.tenant, type_name, tier))
    speed = ask.speed(type_name) if type_name in ask.types else 1.0
    return None if price is None else Fraction(price) / Fraction(speed)
