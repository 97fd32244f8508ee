"""Where the local engine keeps what: small files, each written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from petahour.engines.local import supervisor
from petahour.engines.protocol import Launch


class Layout:
    """Paths below the engine's directory.

    ``allocations/ID/launch.json`` ranks and port, ``allocations/ID/stop.json`` a stop asked for,
    ``allocations/ID/rank-N/`` the supervisor's files, ``logs/ID/rank-N.log`` the output, ``logs/ID/over`` says that
    the allocation's end is on record; these two outlive the rest.
    """

    def __init__(self, directory: Path) -> None:
        self._allocations = directory / "allocations"
        self._logs = directory / "logs"
        for path in (self._allocations, self._logs):
            path.mkdir(parents=True, exist_ok=True)

    def allocation(self, allocation: str) -> Path:
        return self._allocations / allocation

    def rank(self, allocation: str, rank: int) -> Path:
        return self._allocations / allocation / f"rank-{rank}"

    def log(self, allocation: str, rank: int) -> Path:
        return self._logs / allocation / f"rank-{rank}.log"

    def known(self) -> Iterator[str]:
        """Allocations that have state here."""
        with os.scandir(self._allocations) as entries:
            for entry in entries:
                yield entry.name

    def over(self, allocation: str) -> bool:
        """Whether it was forgotten: whoever wants to start it has slept through its end."""
        return self.over_mark(allocation).exists()

    def over_mark(self, allocation: str) -> Path:
        return self._logs / allocation / supervisor.OVER

    def forget(self, allocation: str) -> None:
        """Remove the state of what is over for good; the logs stay. Without room for the mark, all stays."""
        mark = self.over_mark(allocation)
        try:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
        except OSError:
            return
        self.clear(allocation)

    def clear(self, allocation: str) -> None:
        """Remove the state of what never began, so that it can begin anew."""
        shutil.rmtree(self.allocation(allocation), ignore_errors=True)


def write_json(path: Path, value: object) -> None:
    """Write a file whole: a crash leaves the old one or the new one."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_json(path: Path) -> dict[str, object] | None:
    """A file's object, or None when there is none."""
    try:
        with path.open() as file:
            found: dict[str, object] = json.load(file)
    except FileNotFoundError:
        return None
    return found


def world_size(launch: Launch) -> int:
    """How many ranks a launch has: one per accelerator."""
    return sum(len(slot.indexes) for slot in launch.slots)
