"""Whatever moved credit has its event, and every such event its transfer: whoever removes either is found."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from tests.integration.promises.test_reservations import promise
from tests.property.control.floor import OPERATOR, HandPlane

from petahour.control.audit import audit, verify
from petahour.control.audit.log import LOG
from petahour.control.audit.moves import MOVES
from petahour.control.billing_terms import set_seller
from petahour.control.corrections import reverse
from petahour.control.credit_moves import move_credit
from petahour.control.credit_terms import set_credit_terms, write_off
from petahour.control.invoices import credit_invoice, pay_invoice, void_invoice
from petahour.control.month_close import close_month
from petahour.control.reservation_changes import end_reservation
from petahour.model.invoices import Party, Seller
from petahour.model.time import HOUR_MS, MINUTE_MS, month_bounds, month_of
from petahour.model.usage import TransferKind
from petahour.store.sql.store import open_store, sqlite_url

FILE = "petahour.db"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month with every such movement, closed, whose books are sound."""
    folder = tmp_path_factory.mktemp("history")
    plane = HandPlane(folder)
    context = plane.context
    set_seller(context, OPERATOR, Seller(party=Party(name="Centre")))
    month = month_of(plane.clock.at_ms)
    for kind, key in ((TransferKind.GRANT, "g"), (TransferKind.SERVICE_CREDIT, "s"), (TransferKind.REFUND, "r")):
        move_credit(context, OPERATOR, "acme", kind, amount="1.50", currency="CNY", key=key, note="asked")
    wrong = move_credit(
        context, OPERATOR, "acme", TransferKind.GRANT, amount="1", currency="CNY", key="w", note="asked"
    )[0]
    reverse(context, OPERATOR, wrong.id, note="the wrong tenant")
    set_credit_terms(context, OPERATOR, "coop", postpaid=True, limit="100", days=(1, 7, 14, 30))
    promise(plane, hours=4, count=4, lends=True, share="40")
    ended = promise(plane, hours=4, count=2, tenant="coop")
    plane.submit("beta", tier="spot", accelerators_per_node=4, run_ms=2 * HOUR_MS)
    plane.step(1)
    plane.step(HOUR_MS)
    end_reservation(context, OPERATOR, ended.id)
    for _ in range(3):
        plane.step(HOUR_MS)
    plane.clock.at_ms = month_bounds(month)[1] + 5 * MINUTE_MS
    for _ in range(3):
        plane.step(MINUTE_MS)
    numbers = {one.tenant: one.document.number for one in close_month(context, OPERATOR, month) if one.document}
    credit_invoice(context, OPERATOR, numbers["beta"], line=1, amount="0.01", reason="slow", key="n")
    pay_invoice(context, OPERATOR, numbers["coop"], amount="0.10", key="bank")
    write_off(context, OPERATOR, numbers["coop"], reason="insolvent")
    void_invoice(context, OPERATOR, numbers["acme"], reason="wrong address")
    plane.require_sound()
    plane.close()
    return folder / FILE


def broken(history: Path, folder: Path, tampering: str) -> set[str]:
    shutil.copy(history, folder / FILE)
    connection = sqlite3.connect(folder / FILE)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    assert connection.execute(tampering).rowcount >= 1, "the tampering itself must find its row"
    connection.commit()
    connection.close()
    store = open_store(sqlite_url(folder / FILE))
    with store.read() as tx:
        found = {check.name for check in verify(tx) if not check.ok}
        assert found <= {check.name for check in audit(tx) if not check.ok}
    store.close()
    return found


EVENTS = (
    *("credit-added", "credit-moved", "transfer-reversed", "invoice-paid", "invoice-voided", "credit-note-issued"),
    *("written-off", "reservation-billed", "lent-shared"),
)
KINDS = (
    *("topup", "grant", "service-credit", "refund", "reversal", "payment", "write-off", "commitment", "fee"),
    "lent-share",
)


@pytest.mark.parametrize("kind", EVENTS)
def test_a_movement_without_its_event_is_found(history: Path, tmp_path: Path, kind: str) -> None:
    assert MOVES in broken(history, tmp_path, f"DELETE FROM events WHERE kind = '{kind}'")


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_without_its_movement_is_found(history: Path, tmp_path: Path, kind: str) -> None:
    one = f"SELECT min(seq) FROM transfers WHERE kind = '{kind}'"
    assert MOVES in broken(history, tmp_path, f"DELETE FROM transfers WHERE seq = ({one})")


@pytest.mark.parametrize("kind", sorted({*EVENTS} - {"transfer-reversed", "invoice-voided", "credit-note-issued"}))
def test_an_event_that_tells_another_amount_is_found(history: Path, tmp_path: Path, kind: str) -> None:
    more = "json_set(data, '$.amount_micros', json_extract(data, '$.amount_micros') + 1)"
    last = f"SELECT max(seq) FROM events WHERE kind = '{kind}'"
    assert MOVES in broken(history, tmp_path, f"UPDATE events SET data = {more} WHERE seq = ({last})")


def test_an_event_that_tells_of_a_movement_twice_is_found(history: Path, tmp_path: Path) -> None:
    columns = "kind, at_ms, tenant, job, allocation, node, data"
    again = f"INSERT INTO events ({columns}) SELECT {columns} FROM events WHERE kind = 'credit-moved'"
    assert MOVES in broken(history, tmp_path, again)


def test_the_log_alone_says_what_credit_came_to_by_a_grant(history: Path, tmp_path: Path) -> None:
    shutil.copy(history, tmp_path / FILE)
    more = "json_set(data, '$.available_micros', json_extract(data, '$.available_micros') + 1)"
    connection = sqlite3.connect(tmp_path / FILE)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(f"UPDATE events SET data = {more} WHERE kind = 'credit-moved'")
    connection.commit()
    connection.close()
    store = open_store(sqlite_url(tmp_path / FILE))
    with store.read() as tx:
        (found,) = (check for check in audit(tx) if check.name == LOG)
    store.close()
    assert "the events make it" in found.detail
