"""Explain: the binding constraint of a job that waits, in words its tenant can act on.

The words name no other tenant and depend on the cause alone, so that they stay the same while it does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from petahour.model.jobs import Tier
from petahour.model.promises import LENT_GRACE_MS, WindowState
from petahour.model.resources import Switch
from petahour.model.time import format_duration, to_iso
from petahour.scheduler.ask import Ask, Waiting
from petahour.scheduler.decisions import Decisions, Why
from petahour.scheduler.funds import beyond_limit, hold_micros
from petahour.scheduler.plan import Hold, HoldCode
from petahour.scheduler.quota import Share, share_of
from petahour.scheduler.room import Pool
from petahour.scheduler.state import State


class Holds(Mapping[str, Hold]):
    """Why each queued job waits, put into words only when somebody asks.

    It may be read from any thread while the state moves on: it then speaks of a mix of before and after, never
    of what never was.
    """

    def __init__(self, state: State, made: Decisions) -> None:
        self._state, self._made, self._room = state, made, state.room
        self._placed = {start.job.id for start in made.starts}

    def __getitem__(self, job_id: str) -> Hold:
        shut = self._state.gates.hold(job_id) or self._state.barred.get(job_id)
        if shut is not None:
            return shut
        job = self._state.lines.job(job_id)
        if job is None or job_id in self._placed:
            raise KeyError(job_id)
        why = self._made.whys.get(job_id) or self._made.whys.get(job.ask) or self._of_unexamined(job)
        return Hold(job=job_id, code=why.code, text=self._text(job, why))

    def __iter__(self) -> Iterator[str]:
        yield from self._state.gates.held()
        yield from list(self._state.barred)
        yield from (job.id for job in self._state.lines.every() if job.id not in self._placed)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _of_unexamined(self, job: Waiting) -> Why:
        """The pass did not come to it: it found no room for any such gang, or keeps to its order."""
        state, ask = self._state, job.ask
        if state.policy.strict:
            return Why(HoldCode.ORDER)
        refusals = []
        for type_name in ask.types:
            share = share_of(
                state.quotas.get((ask.tenant, type_name)),
                state.used.get((ask.tenant, type_name), 0),
                tier=ask.tier,
                accelerators=state.room.holds(ask, type_name),
            )
            if state.money is not None and hold_micros(state.money, job, type_name, 1) is None:
                refusals.append(Why(HoldCode.PRICE, type_name))
            elif state.money is not None and (asked := beyond_limit(state.money, ask, type_name)) is not None:
                refusals.append(Why(HoldCode.LIMIT, type_name, asked, ask.limit_micros or 0))
            elif share is Share.REFUSED:
                refusals.append(Why(HoldCode.QUOTA, type_name, state.used.get((ask.tenant, type_name), 0)))
            else:
                return Why(HoldCode.CAPACITY, type_name)
        return refusals[0]

    def _text(self, job: Waiting, why: Why) -> str:
        ask = job.ask
        if why.code is HoldCode.ORDER:
            return "waits its turn: an earlier job does not fit yet, and under this policy nobody overtakes"
        if why.code is HoldCode.PRICE:
            names = " or ".join(ask.types)
            return f"{names} is not for sale as {ask.tier} in your currency; choose another type or tier"
        if why.code is HoldCode.LIMIT:
            text = f"an hour of one {why.type} as {ask.tier} costs {_price(why.amount)} now or in the next hour, "
            return text + f"above your limit of {_price(why.limit)}; it starts when the price is within it"
        if why.code is HoldCode.QUOTA:
            return self._quota(ask, why)
        if why.code is HoldCode.FUNDS:
            text = f"placing it on {why.type} holds {_decimal(why.limit)} of prepaid credit, {_decimal(why.amount)} "
            return text + "more than is available; top up, or give a shorter walltime"
        if why.code is HoldCode.KEPT:
            text = (
                f"needs {_gang(ask)} {why.type} beyond your quota, and {why.amount} of those that are idle are kept "
            )
            return (
                text + "for the tenants they are promised to; it starts when more are idle, or as spot yields to it"
            )
        if why.code is HoldCode.PREEMPTING:
            text = f"{_gang(ask)} {why.type} are being freed for it: "
            return text + "preempted jobs save their checkpoints and stop"
        if why.code is HoldCode.MAINTENANCE:
            return self._maintenance(job, why)
        if why.code is HoldCode.RESERVATION:
            return self._reservation(job, why)
        return self._capacity(ask)

    def _maintenance(self, job: Waiting, why: Why) -> str:
        window = self._state.promises.windows.get(why.promise)
        if window is None:
            return "what it needs is under maintenance, or soon will be"
        text = f"needs {_gang(job.ask)} {why.type}; maintenance {window.id} of {_named(window.nodes)}"
        text += f" ({window.reason})" if window.reason else ""
        text += f" from {_minute(window.from_ms)} to {_minute(window.to_ms)} begins before {_is_over(job)}"
        return f"{text}; it starts afterwards, when others end, or with a walltime that fits"

    def _reservation(self, job: Waiting, why: Why) -> str:
        kept = self._state.promises.reservations.get(why.promise)
        if kept is None:
            return "what it needs is kept for a reservation"
        window = f"{kept.id} ({kept.nodes} x {kept.per_node} {kept.type} from {_minute(kept.from_ms)} to "
        window += f"{_minute(kept.to_ms)})"
        if kept.tenant == job.ask.tenant and job.ask.tier is Tier.RESERVED:
            return f"needs {_gang(job.ask)} {kept.type} of your reservation {window}; it starts when that has room"
        if job.ask.spot and kept.lends and job.grace_ms > LENT_GRACE_MS:
            text = (
                f"needs {_gang(job.ask)} {why.type}, and what is free is lent by reservation {window} only to spot "
            )
            return text + f"whose grace period is at most {format_duration(LENT_GRACE_MS)}; it starts when others end"
        whose = "your own" if kept.tenant == job.ask.tenant else "another tenant's"
        text = f"needs {_gang(job.ask)} {why.type}, and what is free is kept for {whose} reservation {window}, "
        if kept.from_ms <= self._made.at_ms:
            text += "which has begun and lends nothing" if job.ask.spot and not kept.lends else "which has begun"
            return f"{text}; it starts when others end"
        return text + f"which begins before {_is_over(job)}; it starts when others end, or with a walltime that fits"

    def _quota(self, ask: Ask, why: Why) -> str:
        quota = self._state.quotas.get((ask.tenant, why.type))
        nominal, used, need = quota.nominal if quota else 0, why.amount, self._room.holds(ask, why.type)
        if ask.tier is Tier.RESERVED:
            return (
                f"reserved work lies within your quota of {nominal} {why.type}; {used} in use, this gang needs {need}"
            )
        most = nominal + ((quota.borrowing_limit or 0) if quota else 0)
        text = f"your quota allows {most} {why.type} with borrowing; {used} in use, this gang needs {need}; "
        return text + "it starts when your own jobs release some"

    def _capacity(self, ask: Ask) -> str:
        """Per acceptable type: what the gang needs, what is free, what drains, when some is expected."""
        parts = []
        for type_name in ask.types:
            pools = self._room.by_type.get(type_name, ())
            if not pools:
                continue
            total = sum(pool.accelerators for pool in pools)
            free = sum(self._made.free_after[pool.index] for pool in pools)
            kept = sum(self._made.free_before[pool.index] for pool in pools) - free
            shut = sum(pool.shut_accelerators for pool in pools)
            text = f"needs {_gang(ask)} {type_name} {_where(ask)}; {free} of {total} free"
            if kept:
                text += f", {kept} kept for jobs ahead"
            if shut:
                text += f", {shut} on nodes that are draining or down{self._until(pools)}"
            parts.append(text + self._expected(ask, pools))
        return "; or ".join(parts) or f"this fleet has no {' or '.join(ask.types)}"

    def _until(self, pools: tuple[Pool, ...]) -> str:
        """How long the open maintenance windows among the pools last."""
        ends_ms = [
            window.to_ms
            for window in list(self._state.promises.windows.values())
            if window.state is WindowState.OPEN
            and any(pool.number(name) is not None for pool in pools for name in window.nodes)
        ]
        return f" (maintenance until {_minute(max(ends_ms))})" if ends_ms else ""

    def _expected(self, ask: Ask, pools: tuple[Pool, ...]) -> str:
        first = [end for pool in pools for end in self._state.ends.get(pool.index, ())[:1]]
        running = self._state.running.get(min(first)[1]) if first else None
        if running is None or running.ends_ms is None:
            return ""
        whose = "one of your jobs reaches its" if running.job.ask.tenant == ask.tenant else "a job reaches its"
        return f"; {running.accelerators} more at the latest at {_minute(running.ends_ms)} when {whose} walltime"


def _is_over(job: Waiting) -> str:
    return "it is surely over, as it gives no walltime" if job.walltime_ms is None else "its walltime is over"


def _minute(at_ms: int) -> str:
    return f"{to_iso(at_ms)[:16]}Z"


def _named(nodes: tuple[str, ...]) -> str:
    return ", ".join(nodes[:3]) + (f" and {len(nodes) - 3} more" if len(nodes) > 3 else "")


def _gang(ask: Ask) -> str:
    text = f"{ask.gang.nodes} x {ask.gang.accelerators_per_node}"
    return f"{text} + {ask.rest}" if ask.rest else text


def _where(ask: Ask) -> str:
    one_switch = ask.gang.switch is Switch.REQUIRED and ask.gang.nodes > 1
    return ("under one switch" if one_switch else "in one pool") + (
        ", on nodes nobody else uses" if ask.gang.exclusive else ""
    )


def _price(micros: int) -> str:
    """All decimals that tell, at least two: a price and a limit may differ in the last."""
    whole, _, fraction = f"{micros / 1_000_000:,.6f}".partition(".")
    return f"{whole}.{fraction.rstrip('0'):0<2}"


def _decimal(micros: int) -> str:
    return f"{micros / 1_000_000:,.2f}"
