"""Terms: what a placement needs besides room: a price within the limit, quota and funds."""

from __future__ import annotations

from petahour.scheduler.ask import Ask, Running, Waiting
from petahour.scheduler.decisions import Why
from petahour.scheduler.funds import beyond_limit, hold_micros
from petahour.scheduler.plan import HoldCode
from petahour.scheduler.quota import WITHOUT_QUOTA, Kept, Share, share_of
from petahour.scheduler.room import Pool
from petahour.scheduler.state import State


class Terms:
    """Quota and funds in one pass, less what its decisions have used up."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._kept = Kept(state.quotas) if state.quotas else None
        self._used: dict[tuple[str, str], int] = {}
        self._spent: dict[str, int] = {}

    def barred(self, job: Waiting, type_name: str) -> Why | None:
        """Why the job may have no place on the type, however much room there is; None where it may."""
        ask, money, room = job.ask, self._state.money, self._state.room
        if money is not None:
            if self.holds_micros(job, type_name) is None:
                return Why(HoldCode.PRICE, type_name)
            if (asked := beyond_limit(money, ask, type_name)) is not None:
                return Why(HoldCode.LIMIT, type_name, asked, ask.limit_micros or 0)
        share = self.share(ask, type_name)
        if share is Share.REFUSED:
            return Why(HoldCode.QUOTA, type_name, self.uses(ask.tenant, type_name))
        if share is Share.BORROWED and self._kept:
            kept = self._kept.idle(ask.tenant, type_name, lambda tenant: self.uses(tenant, type_name))
            free = sum(pool.free for pool in room.by_type.get(type_name, ()))
            if kept and free - room.holds(ask, type_name) < kept:
                return Why(HoldCode.KEPT, type_name, kept)
        return None

    def holds_micros(self, job: Waiting, type_name: str) -> int | None:
        """What a place on the type holds of the tenant's credit, 0 where nothing is sold; None: not for sale."""
        money = self._state.money
        return 0 if money is None else hold_micros(money, job, type_name, self._state.room.holds(job.ask, type_name))

    def short_micros(self, tenant: str, micros: int, pool: Pool) -> int:
        """How much the tenant's credit lacks of so much for a place in the pool."""
        money = self._state.money
        if pool.rehearsal or money is None:
            return 0
        return max(0, micros - (money.available_micros.get(tenant, 0) - self._spent.get(tenant, 0)))

    def share(self, ask: Ask, type_name: str) -> Share:
        """How a gang of this ask would lie in its tenant's quota."""
        quota = self._state.quotas.get((ask.tenant, type_name))
        if quota is None:
            return WITHOUT_QUOTA[ask.tier]
        used, holds = self.uses(ask.tenant, type_name), self._state.room.holds(ask, type_name)
        return share_of(quota, used, tier=ask.tier, accelerators=holds)

    def uses(self, tenant: str, type_name: str) -> int:
        """Accelerators of the type that the tenant holds, or was given in this pass."""
        key = (tenant, type_name)
        return self._state.used.get(key, 0) + self._used.get(key, 0)

    def take(self, ask: Ask, pool: Pool, micros: int) -> None:
        """A gang of this ask was given a place in the pool, for so much."""
        share = (ask.tenant, pool.type)
        self._used[share] = self._used.get(share, 0) + self._state.room.holds(ask, pool.type)
        if micros and not pool.rehearsal:
            self._spent[ask.tenant] = self._spent.get(ask.tenant, 0) + micros

    def give(self, running: Running) -> None:
        """The run is thought away, until it is taken back."""
        self._change(running, -running.accelerators)

    def take_back(self, running: Running) -> None:
        """The run is there again."""
        self._change(running, running.accelerators)

    def _change(self, running: Running, accelerators: int) -> None:
        if not running.reservation:
            share = (running.job.ask.tenant, running.type)
            self._used[share] = self._used.get(share, 0) + accelerators
