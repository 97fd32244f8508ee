"""Jobs: what a tenant submits, the states it goes through, and which steps between them exist."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from petahour.model.errors import InvariantError
from petahour.model.resources import Gang

MAX_PRIORITY = 100


class Tier(StrEnum):
    """How firmly capacity is promised, and what it costs."""

    RESERVED = "reserved"
    ON_DEMAND = "on-demand"
    SPOT = "spot"


class JobState(StrEnum):
    """A job's state. ``preempted`` is a passage: the job is queued again as soon as its processes are gone."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    PREEMPTED = "preempted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in FINAL_STATES

    @property
    def holds_accelerators(self) -> bool:
        return self in ACTIVE_STATES


FINAL_STATES = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})
ACTIVE_STATES = frozenset({JobState.STARTING, JobState.RUNNING, JobState.STOPPING})

# Every step a job may take. A gang that ends while it starts needs no RUNNING in between.
TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.STARTING, JobState.CANCELLED, JobState.FAILED}),
    JobState.STARTING: frozenset(
        {JobState.RUNNING, JobState.STOPPING, JobState.SUCCEEDED, JobState.FAILED, JobState.QUEUED}
    ),
    JobState.RUNNING: frozenset({JobState.STOPPING, JobState.SUCCEEDED, JobState.FAILED, JobState.QUEUED}),
    JobState.STOPPING: frozenset(
        {JobState.PREEMPTED, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.QUEUED}
    ),
    JobState.PREEMPTED: frozenset({JobState.QUEUED, JobState.CANCELLED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}


def check_transition(before: JobState, after: JobState) -> None:
    """Raises InvariantError on a step that does not exist."""
    if after not in TRANSITIONS[before]:
        raise InvariantError(rule=f"no job goes from {before} to {after}")


@dataclass(frozen=True, kw_only=True, slots=True)
class After:
    """The job starts when another one is over: ``ok``, only when that one has succeeded."""

    job: str
    ok: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ArrayTask:
    """One of the jobs of an array: its index, how many there are, and how many may be under way at once."""

    array: str
    index: int
    size: int
    at_once: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """Prices that a quote promised at submission: ``price_book`` prices the job's first ``for_ms`` of running time.

    Prevents a book published between quote and run from changing what was agreed.
    """

    quote: str
    price_book: str
    for_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class JobSpec:
    """What a tenant asks for, validated. Paths are absolute and inside the project's directory.

    ``types`` are the acceptable accelerator types, the preferred first. ``walltime_ms`` None: unknown.
    ``retries`` bounds restarts after the job's own failures; losing a node or being preempted is not one.
    ``limit_micros``: the most it pays for an accelerator-hour of spot, in its tenant's currency (None: no limit).
    ``promise`` is there where it was submitted under a quote with prices. ``meter_power``: the first rank's output
    ends with what its accelerators drew.
    """

    name: str
    command: tuple[str, ...]
    workdir: str
    environment: tuple[tuple[str, str], ...] = ()
    gang: Gang = field(default_factory=Gang)
    types: tuple[str, ...]
    tier: Tier = Tier.ON_DEMAND
    priority: int = 0
    walltime_ms: int | None = None
    retries: int = 0
    checkpoint_dir: str | None = None
    preemption_signal: str = "SIGTERM"
    grace_ms: int = 30_000
    memory_bytes: int | None = None
    after: tuple[After, ...] = ()
    limit_micros: int | None = None
    array: ArrayTask | None = None
    promise: Promise | None = None
    meter_power: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One submitted job as stored. ``seq`` orders jobs of one instant; ``attempt`` counts allocations so far.

    ``failures`` counts attempts that ended by the job's own fault, against ``spec.retries``;
    ``losses`` those that ended by the operator's. Why a queued job
    waits is not stored: it is what the scheduler says of the present state.
    """

    id: str
    seq: int
    tenant: str
    project: str
    user: str
    spec: JobSpec
    state: JobState
    submitted_ms: int
    attempt: int = 0
    failures: int = 0
    preemptions: int = 0
    losses: int = 0
    ended_ms: int | None = None
    exit_code: int | None = None
    message: str = ""
