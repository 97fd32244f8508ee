"""The crew: a control plane's engines, at rest while it follows and at work while it leads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from petahour.engines.local import supervisor
from petahour.engines.local.layout import Layout
from petahour.engines.local.verdict import rank_state
from petahour.engines.output import read_output
from petahour.engines.protocol import Engine, Launch, LogChunk, Report
from petahour.model.errors import UnavailableError
from petahour.model.resources import Node


class AtRest:
    """An engine that touches nothing: what runs is another replica's. It reads the output of ranks, from their files.

    ``nodes``: what the engine at work would say of its nodes before it knows any.
    """

    name: str

    def __init__(self, name: str, directory: Path, *, nodes: Sequence[Node] | None) -> None:
        self.name = name
        self._layout = Layout(directory)
        self._nodes = nodes

    def start(self, launch: Launch) -> None:
        raise self._not_here(launch.allocation)

    def stop(self, allocation: str, *, signal: str, grace_ms: int) -> None:
        raise self._not_here(allocation)

    def poll(self, *, full: bool = False) -> Sequence[Report]:
        return ()

    def forget(self, allocation: str) -> None:
        return

    def known(self) -> frozenset[str]:
        return frozenset()

    def log(self, allocation: str, rank: int, *, offset: int, limit_bytes: int) -> LogChunk:
        complete = self._layout.over(allocation)
        if not complete:
            status = supervisor.read_status(str(self._layout.rank(allocation, rank)))
            complete = rank_state(rank, status).ended
        return read_output(
            self._layout.log(allocation, rank), offset=offset, limit_bytes=limit_bytes, complete=complete
        )

    def nodes(self) -> Sequence[Node] | None:
        return self._nodes

    def drain(self, node: str, reason: str) -> None:
        return

    def resume(self, node: str) -> None:
        return

    def subscribe(self, wake: Callable[[], None]) -> None:
        return

    def close(self) -> None:
        return

    def _not_here(self, allocation: str) -> UnavailableError:
        return UnavailableError(
            field="engine",
            value=allocation,
            rule="the engine works for the replica that leads",
            remedy="Nothing is to be done: that replica carries out what is stored.",
        )


class Crew(Mapping[str, Engine]):
    """Engines by name: for each, one at rest and how to make one at work."""

    def __init__(self, engines: Mapping[str, tuple[AtRest, Callable[[], Engine]]]) -> None:
        self._engines = dict(engines)
        self._present: dict[str, Engine] = {name: rest for name, (rest, _) in engines.items()}
        self._wake: Callable[[], None] = lambda: None

    def subscribe(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` whenever an engine at work has something to say."""
        self._wake = wake

    def take_up(self) -> None:
        """Put every engine to work: it adopts what runs. All of them, or none."""
        try:
            for name, (_, make) in self._engines.items():
                made = make()
                made.subscribe(self._wake)
                self._present[name] = made
        except BaseException:
            self.let_go()
            raise

    def let_go(self) -> None:
        """Put every engine to rest. What runs keeps running."""
        for name, (rest, _) in self._engines.items():
            present, self._present[name] = self._present[name], rest
            present.close()

    def __getitem__(self, name: str) -> Engine:
        return self._present[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._present)

    def __len__(self) -> int:
        return len(self._present)
