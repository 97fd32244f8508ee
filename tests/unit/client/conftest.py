from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.unit.client.answering import AnsweringServer

from petahour.client import Client


@pytest.fixture
def server() -> Iterator[AnsweringServer]:
    made = AnsweringServer()
    yield made
    made.close()


@pytest.fixture
def pauses() -> list[float]:
    """The pauses that the client made, none of which was slept."""
    return []


@pytest.fixture
def client(server: AnsweringServer, pauses: list[float]) -> Iterator[Client]:
    with Client(server.url, "ph_abc_secret", timeout_s=5, sleep=pauses.append) as made:
        yield made
