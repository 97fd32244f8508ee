"""The Engine protocol: what the control plane asks of anything that runs gangs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from petahour.model.allocations import EndKind
from petahour.model.resources import Node, Slot


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """Everything an engine needs to start one allocation; complete, so that a repeat says the same.

    ``environment`` is the job's own; ``slot_environments`` (one per slot, in slot order) holds the vendor's
    visible-devices variables. The engine adds the rank variables. One rank runs per accelerator.
    At the walltime the engine sends ``stop_signal`` and, after ``grace_ms``, kills. ``cpu_affinity``: pin ranks
    to the host CPUs that the slot indexes name (type ``cpu`` only). ``exclusive``: nobody else's work may run on
    its nodes. ``one_switch``: its nodes lie under one leaf switch. ``meter``: arguments of Python that run beside
    the first rank, write to its output and end at SIGTERM; empty for none.
    """

    allocation: str
    job: str
    tenant: str
    project: str
    attempt: int
    command: tuple[str, ...]
    workdir: str
    environment: tuple[tuple[str, str], ...]
    slot_environments: tuple[tuple[tuple[str, str], ...], ...]
    slots: tuple[Slot, ...]
    type: str
    rehearsal: bool
    cpu_affinity: bool
    walltime_ms: int | None
    grace_ms: int
    stop_signal: str = "SIGTERM"
    checkpoint_dir: str | None
    memory_bytes: int | None
    log_limit_bytes: int
    exclusive: bool = False
    one_switch: bool = False
    meter: tuple[str, ...] = ()


LOCAL = "local"  # the engine that runs gangs on this very host

# How the reason of a node begins that this control plane drained in an engine's own administration, and of one
# that the engine's administration, or its failure, took out.
OUR_REASON = "petahour: "
THEIR_REASON = "engine: "


class Phase(StrEnum):
    """How far an allocation has come in the engine's eyes."""

    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What the engine knows of an allocation now. Reports may repeat; they never go backwards.

    ``started_ms`` is the first rank's start, ``ended_ms`` the instant the last process was gone, both on the
    engine's clock. ``exit_code`` is that of the first rank that failed (128 + signal when killed), else 0.
    ``end_kind`` STOPPED means the processes ended after a stop was asked for.
    """

    allocation: str
    phase: Phase
    started_ms: int | None = None
    ended_ms: int | None = None
    end_kind: EndKind | None = None
    exit_code: int | None = None
    message: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class LogChunk:
    """Bytes ``[offset, next_offset)`` of one rank's combined output, decoded with replacement."""

    text: str
    next_offset: int
    complete: bool


class Engine(Protocol):
    """Starts and stops gangs. Every method is idempotent by allocation id and safe to call from any thread."""

    name: str

    def start(self, launch: Launch) -> None:
        """Start the gang unless this allocation was started or stopped before. Returns without waiting.

        Raises UnavailableError when the engine cannot take it now (the caller repeats later).
        """

    def stop(self, allocation: str, *, signal: str, grace_ms: int) -> None:
        """Signal every rank's process group, after the grace period kill it. An allocation never started is
        marked so that a late start does nothing, and is reported as ended."""

    def poll(self, *, full: bool = False) -> Sequence[Report]:
        """Reports of allocations that changed since they were last reported; ``full``: of all it knows."""

    def forget(self, allocation: str) -> None:
        """The end was recorded: the engine may drop its state (logs stay), but never starts the allocation again,
        whoever still asks for it."""

    def known(self) -> frozenset[str]:
        """Allocations the engine has state of, for finding orphans."""

    def log(self, allocation: str, rank: int, *, offset: int, limit_bytes: int) -> LogChunk:
        """Output of a rank from a byte offset; empty when there is none yet. NotFoundError: no such rank."""

    def nodes(self) -> Sequence[Node] | None:
        """Nodes that the engine finds by itself, with their present state; the same ones again cost nothing.

        Empty for an engine whose nodes are declared, None while it does not know yet. A reason begins with
        ``OUR_REASON`` or ``THEIR_REASON``, which says who took the node out.
        """

    def drain(self, node: str, reason: str) -> None:
        """Let nothing new onto the node, in the engine's own administration too where it has one. Does not wait."""

    def resume(self, node: str) -> None:
        """Take back such a drain. Does not wait."""

    def subscribe(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` (from any thread) when a poll would return something; a hint, never the only path."""

    def close(self) -> None:
        """Let go of threads and sockets. What runs keeps running."""
