"""`petahour reserve cancel` asks before it takes a fee; a script says --yes, or nothing happens."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.unit.cli.conftest import Run
from tests.unit.client.answering import Answer, AnsweringServer

KNOWN: dict[str, object] = {
    "id": "res-7q0w4v2m9x",
    "tenant": "acme",
    "type": "a100-80g-sxm",
    "nodes": 1,
    "per_node": 8,
    "accelerators": 8,
    "from_ms": 1_772_366_400_000,
    "to_ms": 1_775_044_800_000,
    "price_micros": 9_800_000,
    "currency": "CNY",
    "lends": False,
    "rehearsal": False,
    "seats": [{"node": "n1", "indexes": [0, 1, 2, 3, 4, 5, 6, 7]}],
    "of": "",
    "billed_ms": 1_772_366_400_000,
    "state": "active",
    "created_ms": 1_772_366_400_000,
    "created_by": "operator",
    "early_end_ms": 1_772_370_000_000,
    "early_end_fee_micros": 29_164_800_000,
}
NAME = "/v1/reservations/res-7q0w4v2m9x"
QUESTION = (
    "res-7q0w4v2m9x of acme, promised until 2026-04-01 12:00:00 UTC, would end at 2026-03-01 13:00:00 UTC "
    "for a fee of 29,164.80 CNY. Go on? [y/N] "
)


@pytest.fixture
def kept(server: AnsweringServer) -> AnsweringServer:
    """One reservation, and what ending it answers."""
    ended = {**KNOWN, "to_ms": KNOWN["early_end_ms"], "fee_micros": KNOWN["early_end_fee_micros"]}
    server.on(f"GET {NAME}", Answer(body=KNOWN))
    server.on(f"POST {NAME}/cancel", Answer(body=ended))
    return server


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, typed: str) -> Iterator[None]:
    """Standard input is a real terminal, at which somebody types."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs) as stdin, monkeypatch.context() as patched:
        patched.setattr(sys, "stdin", stdin)
        os.write(ours, typed.encode())
        yield
    os.close(ours)


def cancels(server: AnsweringServer) -> list[object]:
    return [one.body for one in server.asked if one.path == f"{NAME}/cancel"]


def test_the_fee_is_named_and_agreed_to_before_it_is_taken(
    petahour: Run, kept: AnsweringServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with terminal(monkeypatch, "y\n"):
        done = petahour("reserve", "cancel", "res-7q0w4v2m9x")
    assert QUESTION in done.err
    assert done.out == "res-7q0w4v2m9x ends at 2026-03-01 13:00:00 UTC, for a fee of 29,164.80 CNY\n"
    assert cancels(kept) == [{"fee_micros": 29_164_800_000}]


@pytest.mark.parametrize("typed", ["n\n", "\n"])
def test_whoever_does_not_agree_changes_nothing(
    petahour: Run, kept: AnsweringServer, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    with terminal(monkeypatch, typed):
        done = petahour("reserve", "cancel", "res-7q0w4v2m9x")
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith("Nothing was changed.\n")
    assert cancels(kept) == []


def test_a_script_says_yes_or_is_refused(
    petahour: Run, kept: AnsweringServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(os.devnull) as nobody, monkeypatch.context() as patched:
        patched.setattr(sys, "stdin", nobody)
        for more in ((), ("--json",)):
            refused = petahour("reserve", "cancel", "res-7q0w4v2m9x", *more)
            assert refused.code == 3
            assert "29,164.80 CNY" in refused.err
            assert "Give --yes to agree to it." in refused.err
        assert cancels(kept) == []
        assert petahour("reserve", "cancel", "res-7q0w4v2m9x", "--yes").code == 0
        assert cancels(kept) == [{}]


def test_what_costs_nothing_is_not_asked_about(petahour: Run, kept: AnsweringServer) -> None:
    free = {**KNOWN, "state": "requested", "early_end_fee_micros": 0}
    kept.on(f"GET {NAME}", Answer(body=free))
    kept.on(f"POST {NAME}/cancel", Answer(body={**free, "state": "cancelled"}))
    assert petahour("reserve", "cancel", "res-7q0w4v2m9x").out == "res-7q0w4v2m9x is cancelled\n"
    assert cancels(kept) == [{"fee_micros": 0}]
