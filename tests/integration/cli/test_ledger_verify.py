"""`petahour ledger verify` as its user meets it: proven, broken row by row, or no ledger at all."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from tests.integration.control.house import live_history

from petahour.cli.main import run


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("proven")
    live_history(folder / "petahour.db")
    return folder


def change(folder: Path, history: Path, statement: str) -> str:
    """A copy of the data directory in which somebody changed something."""
    source, copy = sqlite3.connect(history / "petahour.db"), sqlite3.connect(folder / "petahour.db")
    source.backup(copy)
    for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        copy.execute(f"DROP TRIGGER {name}")
    copy.execute(statement)
    copy.commit()
    for connection in (source, copy):
        connection.close()
    return str(folder)


def test_a_sound_ledger_is_proven(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "verify", "--data-dir", str(history)]) == 0
    shown = capsys.readouterr().out
    assert "BROKEN" not in shown
    assert "all proven." in shown
    assert run(["ledger", "verify", "--data-dir", str(history), "--json"]) == 0
    proof = json.loads(capsys.readouterr().out)
    assert proof["ok"]
    assert proof["head"] in shown
    assert proof["usage_records"] == proof["charges"] == 15
    assert run(["ledger", "verify", "--data-dir", str(history), "--anchor", proof["head"]]) == 0


def test_what_a_demonstration_left_is_named_as_it_was_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    live_history(tmp_path / "data" / "petahour.db")
    assert run(["ledger", "verify", "--data-dir", str(tmp_path)]) == 0
    assert "all proven." in capsys.readouterr().out
    assert run(["invoices", "list", "--data-dir", str(tmp_path)]) == 0


def test_a_broken_one_shows_the_rows(history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = change(tmp_path, history, "UPDATE transfers SET amount_micros = 7 WHERE kind = 'topup'")
    assert run(["ledger", "verify", "--data-dir", folder]) == 1
    shown = capsys.readouterr().out
    assert "every transfer is chained to the one before: trf-topup-acme:pay-1 does not follow" in shown
    assert "NOT proven." in shown
    assert run(["ledger", "verify", "--data-dir", folder, "--json"]) == 1
    proof = json.loads(capsys.readouterr().out)
    assert not proof["ok"]
    broken = {check["name"]: check["faults"] for check in proof["checks"] if not check["ok"]}
    assert any(
        fault.startswith("trf-topup-acme:pay-1 topup 7 ")
        for fault in broken["every movement of credit has its event"]
    )


def test_no_ledger_no_hash_and_an_old_schema_are_named(
    history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ledger", "verify", "--data-dir", str(tmp_path / "none")]) != 0
    assert "a directory with a petahour.db" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert run(["ledger", "verify", "--data-dir", str(history), "--anchor", "abc"]) != 0
    assert "64 small hexadecimal digits" in capsys.readouterr().err
    folder = change(tmp_path, history, "UPDATE alembic_version SET version_num = '0001'")
    assert run(["ledger", "verify", "--data-dir", folder]) != 0
    assert "a schema of version" in capsys.readouterr().err
