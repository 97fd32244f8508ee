"""A real Slurm of two vendors' nodes for a whole session, and fresh ones for tests that break it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from petahour.engines.slurm.settings import SlurmSettings
from petahour.engines.slurm.throwaway import ThrowawaySlurm
from petahour.engines.slurm.throwaway_conf import PARTITION, VirtualNode

NODES = (
    VirtualNode(name="n0", gres="gpu:a100:8"),
    VirtualNode(name="n1", gres="gpu:a100:8"),
    VirtualNode(name="m0", gres="npu:910b3:8"),
    VirtualNode(name="m1", gres="npu:910b3:8"),
)
TYPES = {"gpu:a100": "a100-80g-sxm", "npu:910b3": "ascend-910b3"}


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A running one."""

    slurm: ThrowawaySlurm

    def settings(self, *, rest: bool = False, **more: object) -> SlurmSettings:
        """How an engine drives it, by command or by slurmrestd."""
        plain = SlurmSettings(
            partition=PARTITION,
            gres=TYPES,
            rehearsal=True,
            python=sys.executable,
            conf=self.slurm.conf,
            rest=self.slurm.rest_settings() if rest else None,
        )
        return replace(plain, **more)  # type: ignore[arg-type]

    def options(self, folder: Path, **more: object) -> tuple[str, ...]:
        """The options of `petahour up` that drive it; ``more``: further lines of slurm.toml."""
        lines = {"partition": PARTITION, "rehearsal": True, "python": sys.executable, "poll_ms": 250, **more}
        text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in lines.items())
        table = "".join(f'"{site}" = "{name}"\n' for site, name in TYPES.items())
        path = folder / "slurm.toml"
        path.write_text(f"{text}\n[gres]\n{table}", "utf-8")
        return ("--engine", "slurm", "--slurm", str(path), "--slurm-conf", str(self.slurm.conf))


MakeCluster = Callable[..., Cluster]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Shared by the tests that leave it as it was."""
    slurm = ThrowawaySlurm(NODES, rest=True)
    try:
        slurm.start()
        yield Cluster(slurm=slurm)
    finally:
        slurm.close()


@pytest.fixture
def make_cluster() -> Iterator[MakeCluster]:
    """One of the test's own, with a node time-out of a few seconds."""
    made: list[ThrowawaySlurm] = []

    def make(nodes: Sequence[VirtualNode] = NODES, **options: object) -> Cluster:
        slurm = ThrowawaySlurm(nodes, **options)  # type: ignore[arg-type]
        made.append(slurm)
        slurm.start()
        return Cluster(slurm=slurm)

    yield make
    for slurm in made:
        slurm.close()
