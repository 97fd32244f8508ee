"""Follow: the scheduler's state as what the event log makes of it, event after event.

Nothing else changes it, so that whoever follows the same log and makes passes at the same instants decides the same:
the control loop, one that starts after a crash, and a replay of what was recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from petahour.billing.book import PriceBook
from petahour.billing.book_file import parse_stored_book
from petahour.control.bars import Bars, bars_from
from petahour.control.conduct import Conduct
from petahour.control.posted import Posted
from petahour.control.prices import PriceBooks, TenantPrices
from petahour.model.allocations import Allocation, AllocationState, EndKind
from petahour.model.errors import InvariantError
from petahour.model.events import Event, EventKind
from petahour.model.jobs import Job, JobState, Tier
from petahour.model.promises import maintenance_from, reservation_from
from petahour.model.resources import Node, NodeState, Slot
from petahour.model.tenants import Quota
from petahour.model.terms import spec_of
from petahour.scheduler.ask import Waiting
from petahour.scheduler.decide import decide
from petahour.scheduler.decisions import Decisions
from petahour.scheduler.funds import Money
from petahour.scheduler.plan import Plan
from petahour.scheduler.policies import policy_named
from petahour.scheduler.schedule import plan_of
from petahour.scheduler.state import Bounds, State
from petahour.scheduler.take_in import running_of, waiting_of


class Follower:
    """One reader of the log. ``take`` it every event in order; ``decide`` makes a pass over what was taken."""

    def __init__(self, policy: str) -> None:
        self.state = State(policy_named(policy), ())
        self.quotas: dict[tuple[str, str], Quota] = {}
        self.currencies: dict[str, str] = {}
        self.available_micros: dict[str, int] = {}
        self._nodes: dict[str, Node] = {}
        self._fleet_is_old = False
        self._allocations: dict[str, Allocation] = {}
        self._between: dict[str, Waiting] = {}  # jobs whose run is over and that are not queued again yet
        self._shut: dict[str, Waiting] = {}  # jobs that may not be looked at yet
        self.bars = Bars()
        self._published: dict[str, PriceBook] = {}
        self._posted = Posted()
        self._projects: dict[str, str] = {}
        self._kept_out: dict[str, Waiting] = {}  # queued jobs that the bars keep out
        self.state.quotas = self.quotas

    def take(self, events: Iterable[Event]) -> None:
        """Raises InvariantError, KeyError, TypeError or ValueError on events that cannot follow what was taken."""
        for event in events:
            if event.kind in _OF_NODES:
                self._node(event)
                continue
            # Nodes come by the hundred, and the fleet is looked at as a whole: once, when somebody asks.
            self._settle()
            available = event.data.get("available_micros")
            if event.tenant is not None and isinstance(available, int):
                self.available_micros[event.tenant] = available
            if event.kind in _OF_JOBS:
                self._job(event)
            elif event.kind is EventKind.TENANT_CREATED:
                self.currencies[_name(event.tenant)] = str(event.data["currency"])
            elif event.kind is EventKind.QUOTA_SET:
                self._quota(_name(event.tenant), event.data)
            elif event.kind is EventKind.PRICES_PUBLISHED:
                book = parse_stored_book(event.data["book"])
                self._published[book.id] = book
            elif event.kind is EventKind.SPOT_POSTED:
                self._post(event.data)
            elif event.kind is EventKind.BARRED:
                self._bar(bars_from(event.data))
            elif event.kind is EventKind.MAINTENANCE_SET:
                window: Any = event.data["window"]
                self.state.promises.put_window(maintenance_from(window))
            elif event.kind is EventKind.RESERVATION_SET:
                reservation: Any = event.data["reservation"]
                self.state.promises.put_reservation(reservation_from(reservation))

    @property
    def waited_for(self) -> bool:
        """Whether a pass would have anything to decide."""
        return len(self.state.lines) > 0 or self.state.turns is not None

    def decide(self, now_ms: int, conduct: Conduct) -> Plan:
        """One pass. Where nobody waits for it there is none, and it leaves no trace."""
        self._settle()
        state = self.state
        if not self.waited_for:
            # Who is queued before the next pass is told of this room.
            free = tuple(pool.free for pool in state.room.pools)
            return plan_of(state, Decisions(free_before=free, free_after=free, at_ms=now_ms))
        state.promises.forget(now_ms)
        state.bounds = Bounds(
            min_run_ms=conduct.min_run_ms,
            max_preemptions=conduct.max_preemptions,
            per_hour=conduct.preemptions_per_hour,
        )
        books, ahead_ms = self._prices(conduct), conduct.hold_interval_ms
        state.money = Money(
            available_micros=self.available_micros,
            prices_micros=TenantPrices(books, self.currencies, now_ms, ahead_ms),
            hold_interval_ms=ahead_ms,
            promised_micros=partial(books.promised, now_ms=now_ms, ahead_ms=ahead_ms),
        )
        made = decide(state, now_ms)
        state.reserved = made.reserved
        if made.turns is not None:
            state.turns = made.turns
        return plan_of(state, made)

    def _prices(self, conduct: Conduct) -> PriceBooks:
        """What a pass goes by: the books at the control plane's start and since, and what was posted for spot."""
        fresh = [book for book in self._published.values() if conduct.prices.named(book.id) is None]
        return PriceBooks([*conduct.prices.books, *fresh], self._posted)

    def _post(self, data: Mapping[str, Any]) -> None:
        for one in data["prices"]:
            self._posted.put(data["currency"], one["type"], data["hour_ms"], one["micros"])

    # -- who may wait in line --------------------------------------------------------------------------------------

    def _queue(self, job: Waiting) -> None:
        """In line; or kept out of it, with the reason."""
        hold = self.bars.hold(job.id, tenant=job.ask.tenant, project=self._projects.get(job.id, ""))
        if hold is None:
            self.state.enqueue(job)
        else:
            self._kept_out[job.id] = job
            self.state.barred[job.id] = hold

    def _unqueue(self, job: str) -> Waiting | None:
        """Out of line, or of those kept out of it."""
        self.state.barred.pop(job, None)
        return self._kept_out.pop(job, None) or self.state.dequeue(job)

    def _bar(self, bars: Bars) -> None:
        self.bars = bars
        waiting = [*self._kept_out.values(), *self.state.lines.every()]
        for job in sorted(waiting, key=lambda one: one.seq):
            known = self._unqueue(job.id)
            if known is not None:
                self._queue(known)

    # -- the fleet and its tenants ---------------------------------------------------------------------------------

    def _node(self, event: Event) -> None:
        name, data = _name(event.node), event.data
        if event.kind is EventKind.NODE_STATE:
            known = self._nodes[name]
            self._nodes[name] = replace(known, state=NodeState(str(data["after"])))
        else:
            self._nodes[name] = _node_of(name, data)
        self._fleet_is_old = True

    def _settle(self) -> None:
        if self._fleet_is_old:
            self.state.put_nodes(self._nodes[name] for name in sorted(self._nodes))
            self._fleet_is_old = False

    def _quota(self, tenant: str, data: Mapping[str, Any]) -> None:
        share = Quota(
            tenant=tenant,
            type=data["type"],
            nominal=data["nominal"],
            borrowing_limit=data["borrowing_limit"],
            lending_limit=data.get("lending_limit"),
            cohort=data.get("cohort", ""),
        )
        self.quotas[tenant, share.type] = share

    # -- jobs ------------------------------------------------------------------------------------------------------

    def _job(self, event: Event) -> None:
        if event.kind is EventKind.JOB_SUBMITTED:
            self._submitted(event)
        elif event.kind is EventKind.JOB_PLACED:
            self._placed(event)
        elif event.kind is EventKind.JOB_STARTED:
            self._changed(self._running(event), started_ms=event.at_ms, state=AllocationState.RUNNING)
        elif event.kind is EventKind.JOB_STOPPING:
            allocation = self._running(event)
            if allocation.state is not AllocationState.STOPPING:
                stop_for = str(event.data.get("stop_for", ""))
                self._changed(allocation, state=AllocationState.STOPPING, stop_for=stop_for)
        elif event.kind is EventKind.JOB_ENDED:
            self._ended(event)
        else:
            self._moved(event)

    def _submitted(self, event: Event) -> None:
        job, gates = _job_of(event), self.state.gates
        self._projects[job.id] = job.project
        waiting = waiting_of(self.state, job)
        gates.put(job)
        over: Mapping[str, Any] = event.data
        for other, ok in over.get("over", {}).items():
            gates.over(other, ok=ok)
        gates.ask()  # The others are told of when they are over.
        if gates.shut(job.id):
            self._shut[job.id] = waiting
            self._release()
        else:
            self._queue(waiting)

    def _release(self) -> None:
        """Queue the jobs that may be looked at now."""
        for job in self.state.gates.release():
            self._queue(self._shut.pop(job))

    def _over(self, job: str, *, ok: bool) -> None:
        """Others may have waited for the job's end."""
        self._shut.pop(job, None)
        self._projects.pop(job, None)
        self.state.gates.over(job, ok=ok)
        self._release()

    def _placed(self, event: Event) -> None:
        waiting = self._unqueue(_name(event.job))
        if waiting is None:
            raise InvariantError(rule="who is placed has waited", value=event.job)
        allocation = _allocation_of(event, waiting)
        self._allocations[allocation.id] = allocation
        self.state.start(running_of(self.state, allocation, waiting), allocation.placed_ms)

    def _running(self, event: Event) -> Allocation:
        known = self._allocations.get(_name(event.allocation))
        if known is None:
            raise InvariantError(rule="what starts or stops was placed", value=event.allocation)
        return known

    def _changed(self, allocation: Allocation, **fields: Any) -> None:
        """The run is another one for the scheduler where its latest end or its stopping is."""
        allocation = self._allocations[allocation.id] = replace(allocation, **fields)
        before = self.state.running[allocation.id]
        now = running_of(self.state, allocation, before.job)
        if now != before:
            self.state.release(allocation.id, allocation.placed_ms)
            self.state.start(now, allocation.placed_ms)

    def _ended(self, event: Event) -> None:
        allocation = self._running(event)
        running = self.state.release(allocation.id, event.at_ms)
        if running is None:
            raise InvariantError(rule="what ends has run", value=allocation.id)
        del self._allocations[allocation.id]
        started_ms = event.data.get("started_ms")
        ran_ms = max(0, event.at_ms - started_ms) if isinstance(started_ms, int) else 0
        after, job = JobState(str(event.data["after"])), running.job
        attained_ms = job.attained_ms + ran_ms
        if not after.final:
            preemptions = job.preemptions + (after is JobState.PREEMPTED)
            again = job._replace(attained_ms=attained_ms, preemptions=preemptions)
            promise = job.ask.promise
            if promise is not None and attained_ms >= promise.for_ms:
                again = again._replace(ask=self.state.asks.unpromised(job.ask))
            if after is JobState.QUEUED:
                self._queue(again)
            else:
                self._between[job.id] = again
            return
        if str(event.data.get("end_kind")) in _OF_ITSELF:
            # It was the job's last run, and tells how long such jobs run.
            self.state.expectation.learn(job, attained_ms)
        self._over(job.id, ok=after is JobState.SUCCEEDED)

    def _moved(self, event: Event) -> None:
        job, after = _name(event.job), JobState(str(event.data["after"]))
        again = self._between.pop(job, None)
        if after is JobState.QUEUED and again is not None:
            self._queue(again)
        elif after.final:
            self._unqueue(job)
            self._over(job, ok=False)


def _name(value: str | None) -> str:
    if value is None:
        raise InvariantError(rule="an event names what it is about")
    return value


def _node_of(name: str, data: Mapping[str, Any]) -> Node:
    return Node(
        name=name,
        pool=data["pool"],
        engine=data["engine"],
        type=data["type"],
        accelerators=data["accelerators"],
        switch=data["switch"],
        rehearsal=data["rehearsal"],
        state=NodeState(data["state"]),
    )


def _job_of(event: Event) -> Job:
    data: Mapping[str, Any] = event.data
    return Job(
        id=_name(event.job),
        seq=data["number"],
        tenant=_name(event.tenant),
        project=data["project"],
        user="",
        spec=spec_of(data["terms"]),
        state=JobState.QUEUED,
        submitted_ms=event.at_ms,
    )


def _allocation_of(event: Event, job: Waiting) -> Allocation:
    """As far as the scheduler asks."""
    data: Mapping[str, Any] = event.data
    return Allocation(
        id=_name(event.allocation),
        job=job.id,
        tenant=job.ask.tenant,
        project="",
        attempt=data["attempt"],
        type=data["type"],
        tier=Tier(job.ask.tier),
        engine="",
        slots=tuple(Slot(node=slot["node"], indexes=tuple(slot["indexes"])) for slot in data["slots"]),
        rehearsal=data["rehearsal"],
        borrowed=data["borrowed"],
        price_book=data["price_book"],
        price_micros=data["price_micros"],
        currency=data["currency"],
        state=AllocationState.STARTING,
        placed_ms=event.at_ms,
        reservation=data.get("reservation", ""),
    )


_OF_ITSELF = frozenset({EndKind.SUCCEEDED, EndKind.FAILED, EndKind.WALLTIME})
_OF_NODES = frozenset({EventKind.NODE_REGISTERED, EventKind.NODE_STATE})
_OF_JOBS = frozenset(
    {
        EventKind.JOB_SUBMITTED,
        EventKind.JOB_PLACED,
        EventKind.JOB_STARTED,
        EventKind.JOB_STOPPING,
        EventKind.JOB_ENDED,
        EventKind.JOB_STATE,
    }
)
