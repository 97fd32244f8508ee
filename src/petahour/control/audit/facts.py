"""What the auditor looks at: jobs, allocations and events, sorted by what they are about. Money is streamed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from petahour.billing.book import PriceBook
from petahour.control.audit.moves import TELLING
from petahour.model.allocations import YIELDING, Allocation, EndKind
from petahour.model.events import Event, EventKind
from petahour.model.jobs import Job
from petahour.model.prices import SpotPrice
from petahour.model.resources import Slot
from petahour.model.usage import Balance
from petahour.store.protocol import JobFilter, Transaction

BATCH = 5_000
EVER_MS = 2**62


@dataclass(kw_only=True, slots=True)
class Life:
    """What the events say of one allocation. ``started_ms`` None: no event knows of a start."""

    placed: list[Event] = field(default_factory=list)
    started: list[Event] = field(default_factory=list)
    ended: list[Event] = field(default_factory=list)
    stopping: list[Event] = field(default_factory=list)
    conflicts: list[Event] = field(default_factory=list)

    @property
    def placed_ms(self) -> int:
        return self.placed[0].at_ms

    @property
    def started_ms(self) -> int | None:
        """The start as recorded, or, when the gang was asked to stop before it was heard of, as the end tells it."""
        if self.started:
            return self.started[0].at_ms
        told = self.ended[0].data.get("started_ms") if self.ended else None
        return told if isinstance(told, int) else None

    @property
    def ended_ms(self) -> int | None:
        return self.ended[0].at_ms if self.ended else None

    @property
    def end_kind(self) -> EndKind | None:
        return EndKind(str(self.ended[0].data.get("end_kind"))) if self.ended else None

    @property
    def preempted_ms(self) -> int | None:
        """When it was first asked to yield by the operator."""
        asked = (event.at_ms for event in self.stopping if event.data.get("stop_cause") in YIELDING)
        return next(asked, None)

    @property
    def slots(self) -> tuple[Slot, ...]:
        return slots_of(self.placed[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """The store as one consistent view saw it, without the rows of money, of which there may be millions.

    ``credits``: the events that tell of credit moved by people or reservations.
    """

    jobs: Mapping[str, Job]
    allocations: Mapping[str, Allocation]
    histories: Mapping[str, Sequence[Event]]
    lives: Mapping[str, Life]
    credits: Sequence[Event]
    held: Mapping[tuple[str, int], str]
    balances: Mapping[str, Balance]
    books: Mapping[str, PriceBook]
    posted: Sequence[SpotPrice]
    spot_events: Sequence[Event]
    reservation_events: Sequence[Event]


def read_facts(tx: Transaction) -> Facts:
    """Read everything. Raises what a damaged row makes the store raise."""
    histories: dict[str, list[Event]] = defaultdict(list)
    lives: dict[str, Life] = defaultdict(Life)
    moved: list[Event] = []
    spot: list[Event] = []
    reserved: list[Event] = []
    for event in _events(tx):
        if event.kind in TELLING:
            moved.append(event)
        if event.kind is EventKind.SPOT_POSTED:
            spot.append(event)
        if event.kind is EventKind.RESERVATION_SET:
            reserved.append(event)
        if event.job and event.kind is not EventKind.REPORT_CONFLICT:
            histories[event.job].append(event)
        if event.allocation:
            _live(lives[event.allocation], event)
    allocations = {item.id: item for item in tx.allocations.every()}
    return Facts(
        jobs={job.id: job for job in _jobs(tx)},
        allocations=allocations,
        histories=dict(histories),
        lives={name: life for name, life in lives.items() if life.placed or life.ended},
        credits=moved,
        held=_held(tx),
        balances={balance.account: balance for balance in tx.ledger.balances()},
        books={book.id: book for book in tx.prices.books()},
        posted=tx.prices.posted(),
        spot_events=spot,
        reservation_events=reserved,
    )


def slots_of(event: Event) -> tuple[Slot, ...]:
    """The accelerators that a placement names. Raises KeyError or TypeError on another shape."""
    raw = event.data["slots"]
    if not isinstance(raw, list):
        raise TypeError(f"event {event.seq} has no list of slots")
    return tuple(Slot(node=str(entry["node"]), indexes=tuple(entry["indexes"])) for entry in raw)


def _live(life: Life, event: Event) -> None:
    if event.kind is EventKind.JOB_PLACED:
        slots_of(event)
        life.placed.append(event)
    elif event.kind is EventKind.JOB_STARTED:
        life.started.append(event)
    elif event.kind is EventKind.JOB_STOPPING:
        life.stopping.append(event)
    elif event.kind is EventKind.REPORT_CONFLICT:
        life.conflicts.append(event)
    elif event.kind is EventKind.JOB_ENDED:
        EndKind(str(event.data.get("end_kind")))
        life.ended.append(event)


def _events(tx: Transaction) -> Iterator[Event]:
    seq = 0
    while batch := tx.events.after(seq, limit=BATCH):
        yield from batch
        seq = batch[-1].seq


def _jobs(tx: Transaction) -> Iterator[Job]:
    before: int | None = None
    while batch := tx.jobs.find(JobFilter(before_seq=before, limit=BATCH)):
        yield from batch
        before = batch[-1].seq


def _held(tx: Transaction) -> dict[tuple[str, int], str]:
    return {
        (node.name, index): allocation
        for node in tx.fleet.every()
        for index, allocation in tx.allocations.held(node.name).items()
    }
