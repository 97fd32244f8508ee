"""The auditor on a real store: a clean history passes, and every kind of tampering is seen by its check."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from tests.integration.control.house import live_history

from petahour.control.audit import Check, audit, verify
from petahour.store.sql.store import open_store, sqlite_url


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "petahour.db"
    live_history(path)
    return path


def audited(path: Path) -> dict[str, Check]:
    store = open_store(sqlite_url(path))
    try:
        with store.read() as tx:
            found = {check.name: check for check in audit(tx)}
            # Whoever looks at the money alone finds the same about it.
            money = {check.name: check for check in verify(tx)}
            assert money == {name: found[name] for name in money}
            return found
    finally:
        store.close()


def tampered(history: Path, folder: Path, tampering: str) -> Path:
    """A copy of the history that somebody with every right to the file has changed, its guards taken off first."""
    path = folder / "petahour.db"
    shutil.copy(history, path)
    connection = sqlite3.connect(path)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("PRAGMA ignore_check_constraints=ON")
    changed = connection.execute(tampering).rowcount
    connection.commit()
    connection.close()
    assert changed >= 1, "the tampering itself must find its row"
    return path


def test_a_clean_history_passes(history: Path) -> None:
    checks = audited(history)
    assert len(checks) >= 19
    assert [check for check in checks.values() if not check.ok] == []


JOBS, LEGAL, STATES = "no job is lost", "job histories are legal", "stored jobs agree with their history"
LIVES, STORED = "allocations begin once and end at most once", "stored allocations agree with the events"
ATTEMPTS, TWICE = "attempts are numbered one by one", "no job runs twice at once"
GIVEN, GANGS = "no accelerator is given twice", "gangs are whole"
HELD = "held accelerators are those of live allocations"
COVER, POLICY = "usage covers what was held, without gap or overlap", "usage is billed and waived by the policy"
CHARGES, POSTED = "every usage record has one charge of its amount", "every charge has one transfer of its amount"
REHEARSAL, MOVES = "rehearsals touch rehearsal accounts only", "every movement of credit has its event"
BALANCES, SUMS = "balances follow from the transfers", "debits equal credits"
CHAIN, REVERSALS = "every transfer is chained to the one before", "every reversal mirrors what it takes back"
HOLDS, READABLE = "holds are those of live allocations", "every row can be read"


@pytest.mark.parametrize(
    ("tampering", "seen_by"),
    [
        ("DELETE FROM jobs WHERE id = 'job-waiting'", JOBS),
        ("DELETE FROM events WHERE job = 'job-waiting'", JOBS),
        ("DELETE FROM events WHERE job = 'job-ended' AND kind = 'job-started'", LEGAL),
        ("UPDATE events SET data = json_set(data, '$.after', 'running') WHERE job = 'job-waiting'", LEGAL),
        ("UPDATE events SET data = json_set(data, '$.after', 'asleep') WHERE job = 'job-waiting'", LEGAL),
        (
            (
                "UPDATE events SET data = json_set(data, '$.before', 'queued') "
                "WHERE job = 'job-ended' AND kind = 'job-ended'"
            ),
            LEGAL,
        ),
        ("UPDATE jobs SET state = 'cancelled' WHERE id = 'job-waiting'", STATES),
        ("UPDATE jobs SET ended_ms = ended_ms + 1 WHERE id = 'job-ended'", STATES),
        ("UPDATE jobs SET attempt = 2 WHERE id = 'job-ended'", STATES),
        ("UPDATE jobs SET tenant = 'other' WHERE id = 'job-ended'", STATES),
        (
            (
                "INSERT INTO events (kind, at_ms, tenant, job, allocation, data) SELECT kind, at_ms, tenant, job, "
                "allocation, data FROM events WHERE kind = 'job-ended' AND job = 'job-ended'"
            ),
            LIVES,
        ),
        ("DELETE FROM events WHERE kind = 'job-placed' AND job = 'job-ended'", LIVES),
        ("UPDATE events SET at_ms = at_ms - 5000 WHERE kind = 'job-ended' AND job = 'job-ended'", LIVES),
        ("UPDATE allocations SET ended_ms = ended_ms + 1 WHERE id = 'alloc-ended-1'", STORED),
        ("UPDATE allocations SET started_ms = started_ms + 1 WHERE id = 'alloc-gang-1'", STORED),
        ("UPDATE allocations SET state = 'running' WHERE id = 'alloc-ended-1'", STORED),
        ("UPDATE allocations SET end_kind = 'lost' WHERE id = 'alloc-ended-1'", STORED),
        ("UPDATE allocations SET slots = '[[\"n2\",[0]]]' WHERE id = 'alloc-ended-1'", STORED),
        ("DELETE FROM allocations WHERE id = 'alloc-ended-1'", STORED),
        ("UPDATE allocations SET attempt = 3 WHERE id = 'alloc-lost-2'", ATTEMPTS),
        (
            (
                "UPDATE events SET at_ms = (SELECT at_ms FROM events WHERE allocation = 'alloc-lost-1' "
                "AND kind = 'job-started') WHERE allocation = 'alloc-lost-2' AND kind = 'job-placed'"
            ),
            TWICE,
        ),
        (
            (
                'UPDATE events SET data = json_set(data, \'$.slots\', json(\'[{"node":"n2","indexes":[0]}]\')) '
                "WHERE allocation = 'alloc-late-1' AND kind = 'job-placed'"
            ),
            GIVEN,
        ),
        ("UPDATE allocations SET slots = '[[\"n1\",[0]]]' WHERE id = 'alloc-gang-1'", GANGS),
        ("UPDATE allocations SET slots = '[[\"n1\",[0]],[\"n1\",[1]]]' WHERE id = 'alloc-gang-1'", GANGS),
        ("UPDATE allocations SET type = 'a10' WHERE id = 'alloc-ended-1'", GANGS),
        ("DELETE FROM held_accelerators WHERE allocation = 'alloc-gang-1' AND node = 'n2'", HELD),
        ("INSERT INTO held_accelerators VALUES ('n2', 2, 'alloc-ended-1')", HELD),
        ("UPDATE held_accelerators SET allocation = 'alloc-lost-2' WHERE allocation = 'alloc-gang-1'", HELD),
        ("DELETE FROM usage_records WHERE allocation = 'alloc-ended-1' AND billed_ams > 0", COVER),
        (
            (
                "UPDATE usage_records SET start_ms = start_ms - 1, waived_ams = waived_ams + accelerators "
                "WHERE allocation = 'alloc-gang-1' AND billed_ams > 0"
            ),
            COVER,
        ),
        ("UPDATE allocations SET metered_ms = metered_ms + 1 WHERE id = 'alloc-gang-1'", COVER),
        (
            (
                "UPDATE usage_records SET waived_ams = billed_ams, billed_ams = waived_ams "
                "WHERE allocation = 'alloc-ended-1'"
            ),
            POLICY,
        ),
        (
            (
                "UPDATE usage_records SET billed_ams = waived_ams, waived_ams = 0 "
                "WHERE allocation = 'alloc-lost-1' AND waive_reason = 'lost'"
            ),
            POLICY,
        ),
        ("UPDATE usage_records SET hour_ms = hour_ms + 3600000 WHERE allocation = 'alloc-ended-1'", POLICY),
        ("UPDATE usage_records SET rehearsal = 0 WHERE allocation = 'alloc-show-1'", POLICY),
        ("UPDATE usage_records SET tenant = 'other' WHERE allocation = 'alloc-ended-1'", POLICY),
        ("DELETE FROM charges WHERE id LIKE 'chg-alloc-ended-1-%' AND amount_micros > 0", CHARGES),
        ("UPDATE charges SET amount_micros = amount_micros + 1 WHERE id LIKE 'chg-alloc-ended-1-%'", CHARGES),
        ("UPDATE charges SET price_micros = 1 WHERE id LIKE 'chg-alloc-ended-1-%'", CHARGES),
        ("UPDATE charges SET tenant = 'other' WHERE id LIKE 'chg-alloc-ended-1-%'", CHARGES),
        ("DELETE FROM transfers WHERE id LIKE 'trf-chg-alloc-ended-1-%'", POSTED),
        ("UPDATE transfers SET amount_micros = amount_micros + 1 WHERE id LIKE 'trf-chg-alloc-ended-1-%'", POSTED),
        ("UPDATE transfers SET cause = 'use-nothing' WHERE id LIKE 'trf-chg-alloc-ended-1-%'", POSTED),
        (
            (
                "INSERT INTO transfers (id, kind, debit, credit, amount_micros, currency, at_ms, cause, note, hash) "
                "SELECT 'trf-again', kind, debit, credit, amount_micros, currency, at_ms, cause, note, hash "
                "FROM transfers WHERE id LIKE 'trf-chg-alloc-ended-1-%'"
            ),
            POSTED,
        ),
        (
            "UPDATE transfers SET debit = 'prepaid:acme:CNY' WHERE id LIKE 'trf-chg-alloc-show-1-%'",
            REHEARSAL,
        ),
        (
            (
                "UPDATE transfers SET debit = 'prepaid:acme:CNY', credit = 'revenue:operator:CNY:cpu/on-demand' "
                "WHERE id LIKE 'trf-chg-alloc-show-1-%'"
            ),
            REHEARSAL,
        ),
        ("UPDATE transfers SET amount_micros = amount_micros + 1 WHERE kind = 'topup'", MOVES),
        ("DELETE FROM transfers WHERE kind = 'topup'", MOVES),
        ("DELETE FROM events WHERE kind = 'credit-added'", MOVES),
        ("UPDATE transfers SET note = 'thanks' WHERE kind = 'topup'", CHAIN),
        ("UPDATE transfers SET at_ms = at_ms + 1 WHERE id LIKE 'trf-chg-alloc-ended-1-%'", CHAIN),
        ("UPDATE transfers SET expires_ms = 1 WHERE kind = 'pending' AND cause = 'alloc-gang-1'", CHAIN),
        ("UPDATE transfers SET hash = replace(hash, substr(hash, 1, 1), 'f') WHERE kind = 'topup'", CHAIN),
        ("UPDATE transfers SET seq = -seq WHERE kind = 'void' AND cause = 'alloc-ended-1'", CHAIN),
        ("DELETE FROM transfers WHERE cause = 'alloc-failed-1'", CHAIN),
        ("UPDATE transfers SET kind = 'reversal' WHERE id LIKE 'trf-chg-alloc-ended-1-%'", REVERSALS),
        ("UPDATE transfers SET pending = NULL WHERE kind = 'void' AND cause = 'alloc-ended-1'", BALANCES),
        ("UPDATE transfers SET amount_micros = 1 WHERE kind = 'void' AND cause = 'alloc-ended-1'", BALANCES),
        ("UPDATE transfers SET currency = 'USD' WHERE kind = 'topup'", BALANCES),
        ("UPDATE charges SET usage = 'use-none' WHERE id LIKE 'chg-alloc-ended-1-%' AND amount_micros > 0", CHARGES),
        ("UPDATE usage_records SET waive_reason = 'lost' WHERE waive_reason = 'provisioning'", POLICY),
        ("UPDATE accounts SET credits_micros = credits_micros + 1 WHERE account = 'prepaid:acme:CNY'", BALANCES),
        ("DELETE FROM accounts WHERE account = 'cash:operator:CNY'", BALANCES),
        ("INSERT INTO accounts VALUES ('prepaid:ghost:CNY', 'CNY', 5, 5, 0, 0)", BALANCES),
        ("DELETE FROM transfers WHERE kind = 'pending' AND cause = 'alloc-ended-1'", BALANCES),
        ("UPDATE accounts SET debits_micros = debits_micros + 1 WHERE account = 'cash:operator:CNY'", SUMS),
        ("UPDATE allocations SET hold_transfer = '' WHERE id = 'alloc-gang-1'", HOLDS),
        ("UPDATE allocations SET hold_transfer = 'trf-none' WHERE id = 'alloc-gang-1'", HOLDS),
        ("DELETE FROM transfers WHERE kind = 'void' AND cause = 'alloc-ended-1'", HOLDS),
        ("UPDATE accounts SET pending_debits_micros = 0 WHERE account = 'prepaid:acme:CNY'", HOLDS),
        ("UPDATE events SET data = '{}' WHERE kind = 'job-placed' AND job = 'job-ended'", READABLE),
        ("UPDATE events SET kind = 'job-vanished' WHERE job = 'job-waiting'", READABLE),
        ("UPDATE allocations SET state = 'odd' WHERE id = 'alloc-ended-1'", READABLE),
    ],
)
def test_tampering_is_seen(history: Path, tmp_path: Path, tampering: str, seen_by: str) -> None:
    path = tampered(history, tmp_path, tampering)
    found = audited(path)[seen_by]

    assert not found.ok
    assert found.detail


def test_a_check_shows_few_rows_and_counts_the_rest(history: Path, tmp_path: Path) -> None:
    path = tampered(history, tmp_path, "DELETE FROM events WHERE kind LIKE 'job-%'")
    detail = audited(path)[JOBS].detail
    assert detail.count("is stored but no event tells of it") == 5
    assert detail.endswith("and 4 more")


def test_an_anchor_shows_a_chain_that_was_computed_anew(history: Path, tmp_path: Path) -> None:
    """Cut after what was noted down, the rest of the ledger is sound in itself; the noted hash is what is missing."""
    store = open_store(sqlite_url(history))
    with store.read() as tx:
        head = tx.ledger.head()
        assert all(check.ok for check in verify(tx, anchor=head))
    store.close()
    path = tampered(history, tmp_path, "DELETE FROM transfers WHERE seq = (SELECT max(seq) FROM transfers)")
    store = open_store(sqlite_url(path))
    with store.read() as tx:
        chain = {check.name: check for check in verify(tx)}[CHAIN]
        assert chain.ok
        chain = {check.name: check for check in verify(tx, anchor=head)}[CHAIN]
        assert f"no transfer has the hash {head}" in chain.detail
    store.close()


def test_every_fault_is_kept_for_those_who_ask(history: Path, tmp_path: Path) -> None:
    path = tampered(history, tmp_path, "DELETE FROM events WHERE kind LIKE 'job-%'")
    lost = audited(path)[JOBS]
    assert lost.count == len(lost.faults) == 9
