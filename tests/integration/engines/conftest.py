"""Every engine, each over a real server: processes of this host, Slurm by its commands, Slurm by slurmrestd."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.engines.harness import now_ms, until
from tests.integration.slurm.cluster import Cluster, cluster, make_cluster

from petahour.engines.local.engine import LocalEngine
from petahour.engines.protocol import Engine, Phase
from petahour.engines.slurm.engine import SlurmEngine

__all__ = ["cluster", "make_cluster"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "engine"


@pytest.fixture(params=["local", "slurm", "slurmrestd"])
def engine(request: pytest.FixtureRequest, home: Path) -> Iterator[Engine]:
    """One of them, without anything running on it; whatever runs at the end is ended."""
    made: Engine
    if request.param == "local":
        made = LocalEngine(home, clock_ms=now_ms)
    else:
        slurm: Cluster = request.getfixturevalue("cluster")
        made = SlurmEngine(home, settings=slurm.settings(rest=request.param == "slurmrestd"), clock_ms=now_ms)
        assert made.await_nodes(10)
    yield made
    for name in made.known():
        made.stop(name, signal="SIGKILL", grace_ms=0)
        until(lambda name=name: _over(made, name), f"{name} to end")  # type: ignore[misc]
    made.close()


def _over(engine: Engine, name: str) -> bool:
    return all(one.phase is Phase.ENDED for one in engine.poll(full=True) if one.allocation == name)
