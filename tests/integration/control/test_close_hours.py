"""Hours closed many at a time come to what they do one by one, on credit that does not last for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.control.house import OPERATOR, SETTINGS, House, open_house

from petahour.control.audit import audit
from petahour.control.close_hours import close_hours
from petahour.control.corrections import reverse
from petahour.control.credit import add_credit
from petahour.model.allocations import Allocation, AllocationState
from petahour.model.events import EventKind
from petahour.model.resources import Slot
from petahour.model.time import HOUR_MS, hour_floor
from petahour.store.sql.store import sqlite_url

PLACES = {
    "a": Slot(node="n1", indexes=(0,)),
    "b": Slot(node="n1", indexes=(2,)),
    "show": Slot(node="r1", indexes=(0,)),
    "c": Slot(node="n2", indexes=(0,)),
    "d": Slot(node="n2", indexes=(1,)),
}


def running_on(credit: str, folder: Path) -> House:
    """Five jobs that run for an hour, one of them a rehearsal, of a tenant with so much credit."""
    folder.mkdir()
    house = open_house(sqlite_url(folder / "petahour.db"), folder)
    reverse(house.context, OPERATOR, "trf-topup-acme:pay-1", note="too much")
    add_credit(house.context, OPERATOR, "acme", amount=credit, currency="CNY", key="pay-2", note="")
    for name, slot in PLACES.items():
        rehearsed = name == "show"
        house.submit(name, types=("a100-80g-sxm",) if rehearsed else ("cpu",))
        house.place(name, slot, type_name="a100-80g-sxm" if rehearsed else "cpu")
        house.run(f"alloc-{name}-1")
    house.clock.at_ms += HOUR_MS
    return house


def state_of(house: House) -> tuple[object, ...]:
    """Allocations, balances, and what the events tell; the auditor finds nothing."""
    with house.context.store.read() as tx:
        assert [check for check in audit(tx) if not check.ok] == []
        closed = [event for event in tx.events.after(0, limit=1_000) if event.kind is EventKind.HOURS_CLOSED]
        allocations = sorted(tx.allocations.every(), key=lambda one: one.id)
        usage = [tx.ledger.usage_of(one.id) for one in allocations]
        told = [(event.job, event.at_ms, event.data) for event in closed]
        return allocations, list(tx.ledger.balances()), usage, told


@pytest.mark.parametrize("credit", ["100", "1.50", "1.45", "1.40", "1.30", "1.13"])
def test_many_at_once_come_to_what_they_do_one_by_one(tmp_path: Path, credit: str) -> None:
    names = [f"alloc-{name}-1" for name in PLACES]
    states = []
    for folder, batches in (("one", [[name] for name in names]), ("many", [names])):
        house = running_on(credit, tmp_path / folder)
        now_ms = house.clock.now_ms()
        for _ in range(2):  # Closing again changes nothing.
            for batch in batches:
                with house.context.store.write() as tx:
                    close_hours(tx, batch, until_ms=hour_floor(now_ms), now_ms=now_ms, settings=SETTINGS)
        states.append(state_of(house))
        house.context.store.close()
    assert states[0] == states[1]


def test_who_has_nothing_left_is_asked_to_stop_and_the_others_run_on(tmp_path: Path) -> None:
    house = running_on("1.13", tmp_path / "house")
    now_ms = house.clock.now_ms()
    names = [f"alloc-{name}-1" for name in PLACES]
    with house.context.store.write() as tx:
        close_hours(tx, names, until_ms=hour_floor(now_ms), now_ms=now_ms, settings=SETTINGS)
    with house.context.store.read() as tx:
        found: dict[str, Allocation] = {one.id: one for one in tx.allocations.every()}
    stopping = [name for name in names if found[name].state is AllocationState.STOPPING]
    assert stopping
    assert "alloc-show-1" not in stopping
    assert all(found[name].hold_transfer == "" for name in stopping)
    house.context.store.close()
