"""What the API answers with. Times are ``*_ms`` since the Unix epoch (UTC), money is ``*_micros`` of a currency.

States, tiers, roles and codes are plain text, so that an older client can read what a newer server says.
``petahour.model`` names the ones of this version, and they compare equal to text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from petahour.model.quotes import QuotedJob


@dataclass(frozen=True, kw_only=True, slots=True)
class Whoami:
    """Who the key belongs to; ``tenant`` None for the operator's own people."""

    user: str
    role: str
    tenant: str | None
    key: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class GangShape:
    """``nodes`` x ``accelerators_per_node``; ``switch`` is ``required`` where all nodes lie under one leaf switch."""

    nodes: int
    accelerators_per_node: int
    switch: str = "preferred"
    exclusive: bool = False

    def __str__(self) -> str:
        text = f"{self.nodes} x {self.accelerators_per_node}"
        if self.switch == "required":
            text += " under one switch"
        return text + (" on nodes of its own" if self.exclusive else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Awaited:
    """A job that another one waits for; ``ok``: it must succeed."""

    job: str
    ok: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ArrayPlace:
    """Which job of an array it is, of how many, and how many of them may be under way at once."""

    array: str
    index: int
    size: int
    at_once: int


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldReason:
    """Why a job waits: a code for programs, a sentence for its tenant."""

    code: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job as the control plane has it. ``type``, ``rehearsal`` and ``started_ms`` are of the latest attempt."""

    id: str
    tenant: str
    project: str
    user: str
    name: str
    state: str
    tier: str
    priority: int
    command: tuple[str, ...]
    workdir: str
    environment: Mapping[str, str]
    types: tuple[str, ...]
    gang: GangShape
    walltime_ms: int | None
    retries: int
    checkpoint_dir: str | None
    preemption_signal: str
    grace_ms: int
    memory_bytes: int | None
    submitted_ms: int
    ended_ms: int | None
    attempt: int
    failures: int
    preemptions: int
    exit_code: int | None
    message: str
    hold: HoldReason | None
    type: str | None
    rehearsal: bool | None
    started_ms: int | None
    seq: int = 0
    losses: int = 0
    after: tuple[Awaited, ...] = ()
    array: ArrayPlace | None = None
    limit_micros: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldSlot:
    """The accelerators of one node that an allocation holds."""

    node: str
    indexes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Allocation:
    """One attempt of a job. ``price_micros``: of one accelerator-hour when it was placed; ``reservation``: what pays
    instead."""

    id: str
    attempt: int
    type: str
    slots: tuple[HeldSlot, ...]
    state: str
    rehearsal: bool
    borrowed: bool
    placed_ms: int
    started_ms: int | None
    ended_ms: int | None
    end_kind: str | None
    stop_cause: str | None
    price_micros: int
    currency: str
    limit_micros: int | None = None
    reservation: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryEntry:
    """One step of a job's life and its cause."""

    seq: int
    at_ms: int
    kind: str
    before: str | None
    after: str | None
    cause: str | None
    attempt: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedStart:
    """In one of ten cases before ``earliest_ms``, in half before ``median_ms``, in nine of ten before ``latest_ms``.

    None: later than the control plane looked ahead, or so much lies ahead that only the middle is told.
    """

    earliest_ms: int | None
    median_ms: int | None
    latest_ms: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SoonerStart:
    """With this type and tier the job would start at once; ``change``: the price of it relative to now, less one."""

    type: str
    tier: str
    change: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """Of a job that waits. ``expected`` None: it does not wait for capacity, and time alone will not start it."""

    expected: ExpectedStart | None
    sooner: SoonerStart | None


@dataclass(frozen=True, kw_only=True, slots=True)
class JobDetail(Job):
    """A job with its attempts and its history, oldest first; ``outlook`` while it waits, ``quoted`` under a quote."""

    allocations: tuple[Allocation, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    outlook: Outlook | None = None
    quoted: QuotedJob | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JobPage:
    """Jobs, newest first; ``next_before_seq`` asks for the page after, None when this is the last."""

    jobs: tuple[Job, ...]
    next_before_seq: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LogChunk:
    """A piece of one rank's output; ``complete`` when nothing will follow."""

    job: str
    attempt: int
    rank: int
    text: str
    next_offset: int
    complete: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Who holds one accelerator; None for a free one, ``other`` for another tenant."""

    index: int
    tenant: str | None
    job: str | None
    allocation: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A node. ``free`` and ``holders`` come with the fleet's listing only."""

    name: str
    pool: str
    engine: str
    type: str
    switch: str
    rehearsal: bool
    state: str
    reason: str
    accelerators: int
    free: int = 0
    holders: tuple[Holder, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """Every node, and what the control plane notes about accelerators it cannot rent."""

    nodes: tuple[Node, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """A person or program; ``tenant`` None for the operator's own people."""

    name: str
    tenant: str | None
    role: str
    created_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """A key without its secret."""

    id: str
    user: str
    tenant: str | None
    role: str
    label: str
    created_ms: int = 0
    revoked_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewKey:
    """A key just made. ``key`` is its text, which is shown this once."""

    id: str
    key: str = field(repr=False)
    user: str
    tenant: str | None
    role: str
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One row of the raw event log."""

    seq: int
    kind: str
    at_ms: int
    tenant: str | None
    job: str | None
    allocation: str | None
    node: str | None
    data: Mapping[str, object]
