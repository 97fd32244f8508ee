"""Two replicas of one control plane on a real PostgreSQL, put away whatever becomes of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.faults.plane import Plane
from tests.integration.postgres import PostgresServer

MakeReplica = Callable[..., Plane]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def database_url(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture
def make_replica(tmp_path: Path, database_url: str) -> Iterator[MakeReplica]:
    made: list[Plane] = []

    def make(
        name: str, *, home: Path = tmp_path, lease_s: float = 2, options: tuple[str, ...] = (), **rest: Any
    ) -> Plane:
        options = ("--lease", f"{lease_s:g}", *options)
        replica = Plane(home, database_url=database_url, name=name, options=options, **rest)
        made.append(replica)
        return replica

    yield make
    for replica in made:
        replica.close()


@pytest.fixture
def pair(make_replica: MakeReplica) -> tuple[Plane, Plane]:
    """One that leads, one that follows."""
    leader, follower = make_replica("a"), make_replica("b")
    leader.start()
    follower.start()
    return leader, follower
