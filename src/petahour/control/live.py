"""Live state: what the control loop looks at, kept up to date from the event log at the cost of what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock
from types import MappingProxyType

from petahour.control.conduct import Conduct
from petahour.control.credit_accounts import spendable_micros
from petahour.control.follow import Follower
from petahour.control.memory import remembered
from petahour.control.settings import Settings
from petahour.model.allocations import Allocation, AllocationState
from petahour.model.events import Event, EventKind
from petahour.model.jobs import Job, JobState
from petahour.model.promises import Maintenance, Reservation, ReservationState
from petahour.model.resources import Node
from petahour.model.tenants import Quota
from petahour.scheduler.plan import Hold, Plan
from petahour.scheduler.policies import PETAHOUR
from petahour.scheduler.present import Present, present_of
from petahour.scheduler.state import State
from petahour.store.protocol import Store, Transaction


class LiveState:
    """The present: stored rows by id, and the scheduler's state, which follows the log alone.

    Only the control loop changes it; other threads may read single entries. After a failed transaction nobody knows
    what was stored, so ``forget`` makes the next refresh load anew.
    """

    def __init__(self, policy: str = PETAHOUR.name) -> None:
        self._moving = Lock()  # while the scheduler's state changes
        self.policy = policy
        self.follower = Follower(policy)
        self.nodes: dict[str, Node] = {}
        self.queued: dict[str, Job] = {}
        self.active: dict[str, Job] = {}
        self.allocations: dict[str, Allocation] = {}
        self.windows: dict[str, Maintenance] = {}  # those that are not over
        self.reservations: dict[str, Reservation] = {}  # confirmed, and not charged to their end
        self.committed: set[str] = set()  # hours of them that were looked at since they began
        self.renewals_tried: dict[str, int] = {}  # those that were refused: when the last time was
        self.unseated: set[str] = set()  # reservations whose seats are lost, and that found no others
        self.mended: tuple[dict[str, Node], dict[str, Reservation]] | None = None  # looked at for lost seats
        self.holds: Mapping[str, Hold] = MappingProxyType({})
        self.watch_now = True  # terms have changed: look at credit, dues and budgets with the next step
        self.books_now = False  # price books were published: take them in before anything is priced
        self.latest_ms = 0  # the latest instant in what was taken in
        self.loads = 0  # how often the state was made anew, the last time of the log up to `loaded_seq`
        self.loaded_seq = 0
        self._seq: int | None = None

    @property
    def state(self) -> State:
        """For a look from another thread, which may change nothing of it, not even by what it asks."""
        return self.follower.state

    @property
    def quotas(self) -> Mapping[tuple[str, str], Quota]:
        return self.follower.quotas

    @property
    def currencies(self) -> Mapping[str, str]:
        return self.follower.currencies

    @property
    def seen(self) -> int:
        """The number of the last event that was taken in."""
        return self._seq or 0

    def present(self, now_ms: int) -> Present:
        """What runs and waits now, for any thread to look ahead from."""
        with self._moving:
            return present_of(self.state, now_ms)

    def forget(self) -> None:
        """The next refresh starts from the store alone."""
        self._seq = None

    def refresh(self, store: Store, settings: Settings) -> bool:
        """Take in what was committed since the last refresh. True when anything changed for the scheduler."""
        with self._moving, store.read() as tx:
            if self._seq is None:
                self._load(tx, settings)
                return True
            changed = False
            while events := tx.events.after(self._seq, limit=settings.events_per_read):
                self._take(tx, events)
                self._seq = events[-1].seq
                changed = changed or any(event.kind is not EventKind.PASS_MADE for event in events)
                if len(events) < settings.events_per_read:
                    break
            return changed

    def reread(self, store: Store, allocations: Iterable[Allocation]) -> None:
        """Read these allocations again, after a change that has no event and is none to the scheduler."""
        known = list(allocations)
        if known:
            with store.read() as tx:
                self._put_allocations(tx.allocations.many(item.id for item in known))

    def decide(self, now_ms: int, conduct: Conduct) -> Plan:
        """One scheduling pass over what was taken in."""
        with self._moving:
            plan = self.follower.decide(now_ms, conduct)
        self.holds = plan.holds
        return plan

    def _load(self, tx: Transaction, settings: Settings) -> None:
        seq = tx.events.last_seq()
        self.follower = Follower(self.policy)
        self.follower.take(remembered(tx, seq, settings.memory_events, page=settings.events_per_read))
        # What was forgotten has moved credit too.
        self._read_credit(tx, self.follower.currencies)
        self.queued, self.active, self.allocations = {}, {}, {}
        self._load_nodes(tx)
        self._load_windows(tx)
        self._load_reservations(tx)
        self._put_jobs(tx.jobs.unfinished())
        self._put_allocations(tx.allocations.active())
        self._seq = self.loaded_seq = seq
        self.loads += 1
        self.books_now = True

    def _take(self, tx: Transaction, events: Iterable[Event]) -> None:
        self.follower.take(events)
        jobs, allocations, kinds, tenants = set(), set(), set(), set()
        for event in events:
            kinds.add(event.kind)
            self.latest_ms = max(self.latest_ms, event.at_ms)
            if event.tenant and event.kind in _MONEY_EVENTS and "available_micros" not in event.data:
                tenants.add(event.tenant)
            if event.job:
                jobs.add(event.job)
            if event.allocation:
                allocations.add(event.allocation)
        if kinds & _WATCHED_EVENTS:
            self.watch_now = True
        if EventKind.PRICES_PUBLISHED in kinds:
            self.books_now = True
        if kinds & _FLEET_EVENTS:
            self._load_nodes(tx)
        if EventKind.MAINTENANCE_SET in kinds:
            self._load_windows(tx)
        if kinds & _RESERVATION_EVENTS:
            self._load_reservations(tx)
        self._put_jobs(tx.jobs.many(jobs))
        self._put_allocations(tx.allocations.many(allocations))
        self._read_credit(tx, tenants)

    def _read_credit(self, tx: Transaction, tenants: Iterable[str]) -> None:
        for tenant in tenants:
            currency = self.follower.currencies.get(tenant)
            if currency is not None:
                self.follower.available_micros[tenant] = spendable_micros(tx, tenant, currency)

    def _load_nodes(self, tx: Transaction) -> None:
        # A new dictionary, so that a thread reading the old one sees a whole fleet.
        self.nodes = {node.name: node for node in tx.fleet.every()}

    def _load_windows(self, tx: Transaction) -> None:
        self.windows = {window.id: window for window in tx.promises.windows()}

    def _load_reservations(self, tx: Transaction) -> None:
        confirmed = tx.promises.reservations(state=ReservationState.CONFIRMED)
        self.reservations = {one.id: one for one in confirmed if one.billed_ms is None or one.billed_ms < one.to_ms}
        self.committed.clear()

    def _put_jobs(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            self.queued.pop(job.id, None)
            self.active.pop(job.id, None)
            if job.state is JobState.QUEUED:
                self.queued[job.id] = job
            elif job.state.holds_accelerators:
                self.active[job.id] = job

    def _put_allocations(self, allocations: Iterable[Allocation]) -> None:
        for allocation in allocations:
            self.allocations.pop(allocation.id, None)
            if allocation.state is not AllocationState.ENDED:
                self.allocations[allocation.id] = allocation


# They say what the credit came to; where one does not, it is read.
_MONEY_EVENTS = frozenset(
    {
        EventKind.CREDIT_ADDED,
        EventKind.CREDIT_MOVED,
        EventKind.TRANSFER_REVERSED,
        EventKind.HOLD_EXPIRED,
        EventKind.INVOICE_ISSUED,
        EventKind.INVOICE_PAID,
        EventKind.INVOICE_VOIDED,
        EventKind.CREDIT_NOTE_ISSUED,
        EventKind.TERMS_SET,
        EventKind.WRITTEN_OFF,
    }
)
_WATCHED_EVENTS = frozenset(
    {EventKind.TERMS_SET, EventKind.WRITTEN_OFF, EventKind.INVOICE_PAID, EventKind.INVOICE_VOIDED}
)
_RESERVATION_EVENTS = frozenset(
    {EventKind.RESERVATION_SET, EventKind.RESERVATION_BILLED, EventKind.RESERVATION_RENEWAL}
)
_FLEET_EVENTS = frozenset({EventKind.NODE_REGISTERED, EventKind.NODE_STATE})
