"""Tables: whole identifiers at any width, no control characters, no colours in a pipe."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from tests.unit.client.answering import job

from petahour.cli import render
from petahour.cli.job_view import job_table
from petahour.client.decode import decode
from petahour.client.types import Job

ID = "job-7q0w4v2m9x"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _shown(width: int, **changes: object) -> list[str]:
    screen = _Terminal()
    target = Console(file=screen, width=width, force_terminal=True, color_system=None)
    target.print(job_table([decode(Job, job(**changes))], now_ms=1_772_366_400_000, width=width), crop=False)
    return screen.getvalue().splitlines()


def test_a_hundred_columns_hold_a_job_on_one_line() -> None:
    lines = _shown(100, tenant="borealis", name="urgent-gang", type="a100-80g-sxm", rehearsal=True)
    assert len(lines) == 2
    assert max(map(len, lines)) <= 100
    assert lines[1].startswith(ID)
    assert lines[1].rstrip().endswith("capacity")


def test_a_wide_terminal_shows_the_sentence() -> None:
    assert "needs 2 x 8 a100-80g-sxm; 12 free" in _shown(180)[1]


def test_a_narrow_terminal_cuts_no_identifier(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _Terminal()
    narrow = Console(file=screen, width=40, force_terminal=True, color_system=None)
    monkeypatch.setattr(render, "console", lambda: narrow)
    render.print_plain(job_table([decode(Job, job())], now_ms=1_772_366_400_000, width=40))
    assert f"{ID} acme" in screen.getvalue()
    assert "a100-80g-sxm" in screen.getvalue()


def test_text_from_others_cannot_steer_the_terminal() -> None:
    assert render.clean("a\x1b[31m\nb\x07c\u202e") == "a [31m b c "


def test_plain_values() -> None:
    assert render.plain({"a": (1, {"b": None})}) == {"a": [1, {"b": None}]}
    assert render.instant(None) is None
    assert render.hours(5_400_000) == "1.5000"
