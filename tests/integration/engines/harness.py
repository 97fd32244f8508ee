"""Launches in few words, and waiting for what an engine reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from petahour.engines.protocol import Engine, Launch, Phase, Report
from petahour.model.resources import Slot

WAIT_S = 20.0


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def launch(folder: Path, script: str, *, name: str = "alloc-1", slots: Sequence[Slot] = (), **more: object) -> Launch:
    """A shell script as a gang; one rank unless slots say otherwise."""
    held = tuple(slots) or (Slot(node="n0", indexes=(0,)),)
    plain = Launch(
        allocation=name,
        job="job-1",
        tenant="acme",
        project="default",
        attempt=1,
        command=("sh", "-c", script),
        workdir=str(folder),
        environment=(("MINE", "yes"),),
        slot_environments=tuple((("VISIBLE", ",".join(map(str, slot.indexes))),) for slot in held),
        slots=held,
        type="a100-80g-sxm",
        rehearsal=True,
        cpu_affinity=False,
        walltime_ms=None,
        grace_ms=500,
        checkpoint_dir=None,
        memory_bytes=None,
        log_limit_bytes=1_000_000,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def until(true: Callable[[], bool], what: str) -> None:
    """Look until it is true."""
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def await_phase(engine: Engine, name: str, phase: Phase) -> Report:
    """The first report of the allocation in this phase."""
    found: list[Report] = []

    def look() -> bool:
        found.extend(one for one in engine.poll() if one.allocation == name and one.phase is phase)
        return bool(found)

    until(look, f"{name} to be {phase}")
    return found[0]


def output(engine: Engine, name: str, rank: int = 0) -> str:
    """All that a rank wrote."""
    return engine.log(name, rank, offset=0, limit_bytes=1_000_000).text
