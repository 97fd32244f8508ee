"""The command line run in this process against a real server on a real port."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.unit.client.answering import AnsweringServer

from petahour.cli.main import run


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> object:
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AnsweringServer]:
    made = AnsweringServer()
    monkeypatch.setenv("PETAHOUR_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("PETAHOUR_URL", made.url)
    monkeypatch.setenv("PETAHOUR_API_KEY", "ph_abc_secret")
    yield made
    made.close()


@pytest.fixture
def petahour(capsys: pytest.CaptureFixture[str]) -> Run:
    def invoke(*arguments: str) -> Outcome:
        code = run(arguments)
        printed = capsys.readouterr()
        return Outcome(code=code, out=printed.out, err=printed.err)

    return invoke
