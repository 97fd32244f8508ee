"""Explaining numbers over HTTP and on the command line: the whole way, for whoever may see it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from tests.integration.control.house import OPERATOR, House, open_house

from petahour.billing.ledger import reversal
from petahour.cli.explanation_view import show_explanation
from petahour.client import ApiError, Client
from petahour.client.explanation import Explanation
from petahour.control.keys import issue_key
from petahour.control.tenants import create_tenant, create_user
from petahour.engines.protocol import Phase
from petahour.model.allocations import EndKind
from petahour.model.resources import Slot
from petahour.model.tenants import Role
from petahour.model.time import SECOND_MS
from petahour.server.app import create_app
from petahour.store.sql.store import sqlite_url

ALLOCATION = "alloc-train-1"


@dataclass
class Asked:
    """A house in which one job ran for 90 s, after 40 s of provisioning; the API over it."""

    house: House
    url: str
    keys: dict[str, str]

    def explain(self, subject: str, name: str, who: str = "operator") -> Explanation:
        with Client(self.url, self.keys[who]) as client:
            return client.explain(subject, name)

    def refused(self, subject: str, name: str, who: str = "operator") -> ApiError:
        with pytest.raises(ApiError) as caught:
            self.explain(subject, name, who)
        return caught.value


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    house = open_house(sqlite_url(tmp_path / "petahour.db"), tmp_path)
    context = house.context
    house.submit("train")
    house.place("train", Slot(node="n1", indexes=(0,)))
    house.clock.at_ms += 40 * SECOND_MS
    house.report(ALLOCATION, Phase.RUNNING, started_ms=house.clock.at_ms)
    house.clock.at_ms += 90 * SECOND_MS
    house.report(ALLOCATION, Phase.ENDED, ended_ms=house.clock.at_ms, end_kind=EndKind.SUCCEEDED, exit_code=0)
    create_tenant(context, OPERATOR, name="bolt", title="", currency="CNY")
    keys = {}
    for who, tenant, role in (
        ("operator", None, Role.OPERATOR),
        ("own", "acme", Role.VIEWER),
        ("stranger", "bolt", Role.TENANT_ADMIN),
    ):
        create_user(context, OPERATOR, tenant, name=f"u-{who}", role=role)
        keys[who] = issue_key(context, OPERATOR, tenant=tenant, user=f"u-{who}", label="")[1]
    server = uvicorn.Server(uvicorn.Config(create_app(context), log_level="warning"))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield Asked(house, f"http://127.0.0.1:{listener.getsockname()[1]}", keys)
    server.should_exit = True
    thread.join()
    context.store.close()


def test_every_subject_leads_to_the_same_job(asked: Asked) -> None:
    whole = asked.explain("allocation", ALLOCATION)
    assert [piece.usage.waive_reason for piece in whole.pieces] == ["provisioning", None]
    billed = whole.pieces[1]
    assert billed.charge is not None
    assert billed.usage.billed_ams == 90_000
    (moved,) = billed.movements
    assert moved.transfer.amount_micros == billed.charge.amount_micros
    for subject, name in (
        ("charge", billed.charge.id),
        ("usage", billed.usage.id),
        ("transfer", moved.transfer.id),
    ):
        found = asked.explain(subject, name)
        assert found.pieces == (billed,)
        assert (found.subject, found.id, found.tenant) == (subject, name, "acme")
        assert found.job is not None
        assert (found.job.id, found.allocation) == ("job-train", whole.allocation)
        assert [event.kind for event in found.events] == ["job-submitted", "job-placed", "job-started", "job-ended"]
    # The sum that a person does with what is shown: 90 s at the price of an hour, half to even.
    price_micros = billed.charge.price_micros
    assert billed.charge.amount_micros == round(90_000 * price_micros / 3_600_000)
    assert billed.book_effective_ms is not None


def test_what_took_a_charge_back_is_shown_and_leads_there(asked: Asked) -> None:
    name = asked.explain("allocation", ALLOCATION).pieces[1].movements[0].transfer.id
    with asked.house.context.store.write() as tx:
        charged = tx.ledger.transfer(name)
        assert charged is not None
        back = reversal(charged, at_ms=asked.house.clock.at_ms, note="slow network")
        tx.ledger.post(back)
        tx.ledger.post(reversal(back, at_ms=asked.house.clock.at_ms, note="was fast after all"))
    for start in (name, f"trf-rev-{name.removeprefix('trf-')}"):
        kinds = [one.transfer.kind for one in asked.explain("transfer", start).pieces[0].movements]
        assert kinds == ["charge", "reversal", "reversal"]


def test_holds_and_top_ups_are_explained_too(asked: Asked) -> None:
    with asked.house.context.store.read() as tx:
        hold = next(one.id for one in tx.ledger.transfers() if one.kind == "pending")
    found = asked.explain("transfer", hold)
    assert [one.transfer.kind for one in found.movements] == ["pending", "void"]
    assert found.job is not None
    top_up = asked.explain("transfer", "trf-topup-acme:pay-1")
    assert (top_up.tenant, top_up.job, top_up.pieces) == ("acme", None, ())
    assert [one.transfer.kind for one in top_up.movements] == ["topup"]


def test_a_tenant_sees_his_own_and_nothing_of_others(asked: Asked) -> None:
    assert asked.explain("allocation", ALLOCATION, "own").tenant == "acme"
    unknown = asked.refused("allocation", "alloc-none-1", "stranger")
    hidden = asked.refused("allocation", ALLOCATION, "stranger")
    assert unknown.status == hidden.status == 404
    assert unknown.rule == hidden.rule == "no such allocation"
    assert asked.refused("transfer", "trf-topup-acme:pay-1", "stranger").status == 404
    assert asked.refused("receipt", "x").status == 422


def test_people_read_price_and_version(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    show_explanation(asked.explain("allocation", ALLOCATION))
    shown = capsys.readouterr().out
    assert "0.025000 accelerator-hours at " in shown
    assert "in force since" in shown
    assert "40,000 ms (provisioning)" in shown
    assert "prepaid:acme:CNY" in shown
    assert "end_kind succeeded" in shown
    assert "job-train" in shown
