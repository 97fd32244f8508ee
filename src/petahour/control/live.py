"""Live state: what the scheduler looks at, kept up to date from the event log at the cost of what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from petahour.control.prices import PriceBooks, TenantPrices
from petahour.control.settings import Settings
from petahour.model.allocations import Allocation, AllocationState, EndKind
from petahour.model.events import Event, EventKind
from petahour.model.jobs import Job, JobState
from petahour.model.resources import Node
from petahour.model.tenants import Quota
from petahour.model.usage import AccountKind, account_id
from petahour.scheduler.ask import Running, Waiting
from petahour.scheduler.funds import Money
from petahour.scheduler.plan import Hold
from petahour.scheduler.policies import PETAHOUR
from petahour.scheduler.policy import Policy
from petahour.scheduler.state import Bounds, State
from petahour.scheduler.take_in import holder_of, running_of, waiting_of
from petahour.store.protocol import Store, Transaction


class LiveState:
    """The present, as indexes. Only the control loop changes it; other threads may read single entries.

    After a failed transaction nobody knows what was stored, so ``forget`` makes the next refresh load anew.
    """

    def __init__(self, policy: Policy = PETAHOUR) -> None:
        self._policy = policy
        self.state = State(policy, ())
        self.nodes: dict[str, Node] = {}
        self.queued: dict[str, Job] = {}
        self.active: dict[str, Job] = {}
        self.allocations: dict[str, Allocation] = {}
        self.quotas: dict[tuple[str, str], Quota] = {}
        self.available_micros: dict[str, int] = {}
        self.currencies: dict[str, str] = {}
        self.holds: Mapping[str, Hold] = MappingProxyType({})
        self._waited: dict[str, Waiting] = {}
        self._seq: int | None = None

    def forget(self) -> None:
        """The next refresh starts from the store alone."""
        self._seq = None

    def refresh(self, store: Store, settings: Settings) -> bool:
        """Take in what was committed since the last refresh. True when anything had changed."""
        with store.read() as tx:
            if self._seq is None:
                self._load(tx)
                return True
            changed = False
            while events := tx.events.after(self._seq, limit=settings.events_per_read):
                self._take(tx, events)
                self._seq = events[-1].seq
                changed = True
                if len(events) < settings.events_per_read:
                    break
            return changed

    def refresh_funds(self, tx: Transaction, tenants: Iterable[str]) -> None:
        """Read the available credit of these tenants."""
        for tenant in set(tenants):
            currency = self.currencies.get(tenant)
            if currency is not None:
                account = account_id(AccountKind.PREPAID, currency, tenant)
                self.available_micros[tenant] = tx.ledger.balance(account, currency).available_micros

    def reread(self, store: Store, allocations: Iterable[Allocation]) -> None:
        """Read these allocations and their tenants' credit again, after a change that has no event."""
        known = list(allocations)
        if known:
            with store.read() as tx:
                self._put_allocations(tx.allocations.many(item.id for item in known))
                self.refresh_funds(tx, {item.tenant for item in known})

    def state_at(self, now_ms: int, prices: PriceBooks, settings: Settings) -> State:
        """What a scheduling pass looks at, with the prices and limits now in force."""
        self.state.bounds = Bounds(
            min_run_ms=settings.min_run_ms,
            max_preemptions=settings.max_preemptions,
            per_hour=settings.preemptions_per_hour,
        )
        self.state.money = Money(
            available_micros=self.available_micros,
            prices_micros=TenantPrices(prices, self.currencies, now_ms),
            hold_interval_ms=settings.hold_interval_ms,
        )
        return self.state

    def _load(self, tx: Transaction) -> None:
        # The log's end is read first: what commits meanwhile is then read twice, never missed.
        seq = tx.events.last_seq()
        self.queued, self.active, self.allocations, self._waited = {}, {}, {}, {}
        self.state = State(self._policy, ())
        self._load_nodes(tx)
        self._load_people(tx)
        self._put_jobs(tx, tx.jobs.unfinished())
        self._put_allocations(tx.allocations.active())
        self._seq = seq

    def _take(self, tx: Transaction, events: Iterable[Event]) -> None:
        jobs, allocations, tenants, kinds = set(), set(), set(), set()
        for event in events:
            kinds.add(event.kind)
            if event.job:
                jobs.add(event.job)
            if event.allocation:
                allocations.add(event.allocation)
            if event.tenant and event.kind in _MONEY_EVENTS:
                tenants.add(event.tenant)
        if kinds & _PEOPLE_EVENTS:
            self._load_people(tx)
        if kinds & _FLEET_EVENTS:
            self._load_nodes(tx)
        self._put_jobs(tx, tx.jobs.many(jobs))
        self._put_allocations(tx.allocations.many(allocations))
        self.refresh_funds(tx, tenants)

    def _load_people(self, tx: Transaction) -> None:
        self.currencies = {tenant.name: tenant.currency for tenant in tx.people.tenants()}
        self.quotas = {(quota.tenant, quota.type): quota for quota in tx.people.quotas()}
        self.state.quotas = self.quotas
        self.refresh_funds(tx, self.currencies)

    def _load_nodes(self, tx: Transaction) -> None:
        # A new dictionary, so that a thread reading the old one sees a whole fleet.
        self.nodes = {node.name: node for node in tx.fleet.every()}
        self.state.put_nodes(self.nodes.values())

    def _put_jobs(self, tx: Transaction, jobs: Iterable[Job]) -> None:
        gates = self.state.gates
        for job in jobs:
            if self.queued.pop(job.id, None) is not None:
                self.state.dequeue(job.id)
            self.active.pop(job.id, None)
            if job.state.final:
                gates.over(job.id, ok=job.state is JobState.SUCCEEDED)
                self._waited.pop(job.id, None)
                continue
            gates.put(job)
            if job.state is JobState.QUEUED:
                self.queued[job.id] = job
                if not gates.shut(job.id):
                    self._enqueue(job)
            elif job.state.holds_accelerators:
                self.active[job.id] = job
        for other in tx.jobs.many(gates.ask()):
            if other.state.final:
                gates.over(other.id, ok=other.state is JobState.SUCCEEDED)
        for job_id in gates.release():
            self._enqueue(self.queued[job_id])

    def _enqueue(self, job: Job) -> None:
        self._waited[job.id] = self.state.enqueue(self._known(waiting_of(self.state, job)))

    def _put_allocations(self, allocations: Iterable[Allocation]) -> None:
        # Ends come first: what they free may have been given away since.
        for allocation in sorted(allocations, key=lambda item: item.state is not AllocationState.ENDED):
            known = self.allocations.pop(allocation.id, None)
            if known is not None:
                running = self.state.release(allocation.id, allocation.ended_ms or known.placed_ms)
                if running is not None and allocation.state is AllocationState.ENDED:
                    self._learn(running, allocation)
            if allocation.state is not AllocationState.ENDED:
                self.allocations[allocation.id] = allocation
                job = self.active.get(allocation.job)
                holder = holder_of(self.state, allocation) if job is None else waiting_of(self.state, job)
                self.state.start(running_of(self.state, allocation, self._known(holder)), allocation.placed_ms)

    def _known(self, job: Waiting) -> Waiting:
        """The job with what is known of it since it first waited: its sweep, and how long it ran."""
        before = self._waited.get(job.id)
        return job if before is None else job._replace(sweep=before.sweep, attained_ms=before.attained_ms)

    def _learn(self, running: Running, ended: Allocation) -> None:
        """A run is over: if it was the job's last, it tells how long such jobs run."""
        job = running.job
        ran_ms = job.attained_ms + max(0, (ended.ended_ms or 0) - (ended.started_ms or ended.ended_ms or 0))
        if job.id in self.queued:
            # It waits again already, as it was before this run.
            again = self.state.dequeue(job.id)
            if again is not None:
                self._waited[job.id] = self.state.enqueue(again._replace(attained_ms=ran_ms))
        elif ended.end_kind in _OF_ITSELF:
            self.state.expectation.learn(job, ran_ms)


_OF_ITSELF = frozenset({EndKind.SUCCEEDED, EndKind.FAILED, EndKind.WALLTIME})
_MONEY_EVENTS = frozenset(
    {
        EventKind.CREDIT_ADDED,
        EventKind.JOB_PLACED,
        EventKind.JOB_ENDED,
        EventKind.INVOICE_ISSUED,
        EventKind.INVOICE_VOIDED,
        EventKind.CREDIT_NOTE_ISSUED,
    }
)
_PEOPLE_EVENTS = frozenset({EventKind.TENANT_CREATED, EventKind.QUOTA_SET})
_FLEET_EVENTS = frozenset({EventKind.NODE_REGISTERED, EventKind.NODE_STATE})
