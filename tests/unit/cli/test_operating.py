"""Everything that is not about one job: login, fleet, tenants, money, oversight."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Run
from tests.unit.client.answering import Answer, AnsweringServer

from petahour.model.time import DAY_MS

NODE = {
    "name": "n1",
    "pool": "a100",
    "engine": "local",
    "type": "a100-80g-sxm",
    "switch": "leaf-1",
    "rehearsal": True,
    "state": "up",
    "reason": "",
    "accelerators": 4,
    "free": 1,
    "holders": [
        {"index": 0, "tenant": "acme", "job": "job-1", "allocation": "alloc-1"},
        {"index": 1, "tenant": "acme", "job": "job-1", "allocation": "alloc-1"},
        {"index": 2, "tenant": "other", "job": None, "allocation": None},
        {"index": 3, "tenant": None, "job": None, "allocation": None},
    ],
}
WHO = {"user": "ann", "role": "member", "tenant": "acme", "key": "key-1"}
TENANT = {"name": "acme", "title": "Acme [red]", "currency": "CNY", "created_ms": 1_772_366_400_000}
BALANCE = {
    "tenant": "acme",
    "currency": "CNY",
    "posted_micros": 1_500_000_000,
    "held_micros": 250_000,
    "available_micros": 1_499_750_000,
}
SUMS = {"billed": 3_600_000, "waived": 0, "open": 0, "idle": 3_600_000, "down": 0, "capacity": 7_200_000}


def test_login_checks_the_key_and_keeps_it(
    server: AnsweringServer, petahour: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on("GET /v1/whoami", Answer(body=WHO))
    monkeypatch.delenv("PETAHOUR_API_KEY")
    key = tmp_path / "key"
    key.write_text("ph_new_secret\n")
    done = petahour("login", "--url", server.url, "--key-file", str(key))
    saved = tmp_path / "config.toml"
    assert done.code == 0
    assert "as ann (member of acme)" in done.out
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert server.asked[0].headers["Authorization"] == "Bearer ph_new_secret"
    monkeypatch.delenv("PETAHOUR_URL")
    assert "acme" in petahour("whoami").out
    assert petahour("whoami", "--json").document == WHO


def test_a_key_that_is_refused_is_not_kept(server: AnsweringServer, petahour: Run, tmp_path: Path) -> None:
    server.on("GET /v1/whoami", Answer(status=401, body={"type": "about:blank#unauthenticated"}))
    assert petahour("login").code == 5
    assert not (tmp_path / "config.toml").exists()


def test_plain_fleet_lists(server: AnsweringServer, petahour: Run) -> None:
    server.on("GET /v1/fleet", Answer(body={"nodes": [NODE]}))
    row = petahour("fleet").out.splitlines()[1]
    assert row.split() == [
        "n1",
        "a100-80g-sxm",
        "up",
        "1",
        "4",
        "yes",
        "leaf-1",
        "acme",
        "job-1",
        "[0-1],",
        "other",
        "[2]",
    ]
    assert petahour("fleet", "--json").document == petahour("fleet", "list", "--json").document


def test_drain_and_resume(server: AnsweringServer, petahour: Run) -> None:
    bare = {name: value for name, value in NODE.items() if name not in ("free", "holders")}
    drained = {**bare, "state": "draining", "reason": "new fan"}
    server.on("POST /v1/fleet/nodes/n1/drain", Answer(body=drained))
    server.on("POST /v1/fleet/nodes/n1/resume", Answer(body=bare))
    assert petahour("fleet", "drain", "n1", "--reason", "new fan").out == "n1 is draining: new fan\n"
    assert server.asked[0].body == {"reason": "new fan"}
    assert petahour("fleet", "resume", "n1").out == "n1 is up\n"


def test_tenants_and_what_belongs_to_them(server: AnsweringServer, petahour: Run) -> None:
    project = {"tenant": "acme", "name": "lm", "directory": "/data/lm", "created_ms": 1}
    user = {"name": "ann", "tenant": "acme", "role": "member", "created_ms": 1}
    key = {"id": "key-9", "key": "ph_9_s", "user": "ann", "tenant": "acme", "role": "member", "label": "ci"}
    quota = {"tenant": "acme", "type": "cpu", "nominal": 8, "borrowing_limit": None}
    server.on("POST /v1/tenants", Answer(status=201, body=TENANT))
    server.on("GET /v1/tenants", Answer(body={"tenants": [TENANT]}))
    server.on("GET /v1/tenants/acme", Answer(body=TENANT))
    server.on("GET /v1/tenants/acme/balance", Answer(body=BALANCE))
    server.on("POST /v1/tenants/acme/projects", Answer(status=201, body=project))
    server.on("GET /v1/tenants/acme/projects", Answer(body={"projects": [project]}))
    server.on("POST /v1/tenants/acme/users", Answer(status=201, body=user))
    server.on("GET /v1/tenants/acme/users", Answer(body={"users": [user]}))
    server.on("POST /v1/keys", Answer(status=201, body=key))
    server.on("GET /v1/keys", Answer(body={"keys": [{**key, "key": None, "created_ms": 1}]}))
    server.on("DELETE /v1/keys/key-9", Answer(status=204, text=""))
    server.on("PUT /v1/tenants/acme/quotas/cpu", Answer(body=quota))
    server.on("GET /v1/tenants/acme/quotas", Answer(body={"quotas": [quota]}))
    assert petahour("tenant", "create", "acme", "--currency", "CNY").out == "Tenant acme created, in CNY\n"
    assert "Acme [red]" in petahour("tenant", "list").out
    assert "8 x cpu" in petahour("tenant", "show", "acme").out
    assert "/data/lm" in petahour("tenant", "project", "create", "acme", "lm").out
    assert "/data/lm" in petahour("tenant", "project", "list", "acme").out
    assert "as member of acme" in petahour("tenant", "user", "create", "acme", "ann", "--role", "member").out
    assert "ann" in petahour("tenant", "user", "list", "acme").out
    made = petahour("tenant", "key", "create", "acme", "ann", "--label", "ci")
    assert made.out == "ph_9_s\n"  # The key alone, so that a script can take it.
    assert "key-9" in petahour("tenant", "key", "list").out
    assert petahour("tenant", "key", "revoke", "key-9", "--json").document == {"id": "key-9", "revoked": True}
    assert "8 x cpu" in petahour("tenant", "quota", "set", "acme", "cpu", "--nominal", "8").out
    assert "any" in petahour("tenant", "quota", "list", "acme").out


def test_credit(server: AnsweringServer, petahour: Run) -> None:
    server.on("GET /v1/whoami", Answer(body=WHO))
    server.on("GET /v1/tenants/acme", Answer(body=TENANT))
    server.on("GET /v1/tenants/acme/balance", Answer(body=BALANCE))
    transfer = {"id": "t", "debit": "a", "credit": "b", "amount_micros": 10**9, "currency": "CNY", "at_ms": 1}
    server.on("POST /v1/tenants/acme/topups", Answer(status=201, body={"transfer": transfer, "balance": BALANCE}))
    done = petahour("topup", "acme", "1000", "--key", "payment-1")
    assert done.out == "1,000.00 CNY added; acme has 1,500.00 CNY\n"
    assert server.asked[-1].body == {"amount": "1000", "currency": "CNY", "key": "payment-1", "note": ""}
    assert "1,499.75 CNY" in petahour("balance").out
    assert petahour("balance", "acme", "--json").document == BALANCE


def test_what_is_given_names_the_transfer_that_may_be_reversed(server: AnsweringServer, petahour: Run) -> None:
    server.on("GET /v1/tenants/acme", Answer(body=TENANT))
    transfer = {"id": "trf-1", "debit": "a", "credit": "b", "amount_micros": 10**6, "currency": "CNY", "at_ms": 1}
    server.on(
        "POST /v1/tenants/acme/credit-moves", Answer(status=201, body={"transfer": transfer, "balance": BALANCE})
    )
    done = petahour("grant", "acme", "1", "--key", "gift-1", "--note", "welcome")
    assert done.out == "1.00 CNY granted; acme has 1,500.00 CNY (transfer trf-1)\n"


@pytest.mark.parametrize(
    ("burn", "exhausted_ms", "text"),
    [(0, None, "for ever: nothing burns"), (1, None, "more than a century"), (1, 1 + 164 * DAY_MS + 7, "164d\n")],
)
def test_how_long_credit_lasts(
    server: AnsweringServer, petahour: Run, burn: int, exhausted_ms: int | None, text: str
) -> None:
    names = ("posted", "held", "limit", "accrued", "left", "overspent")
    found = {"tenant": "acme", "currency": "CNY", **{f"{name}_micros": 0 for name in names}}
    found |= {"burn_micros": burn, "at_ms": 1, "exhausted_ms": exhausted_ms}
    server.on("GET /v1/tenants/acme/credit", Answer(body=found))
    done = petahour("credit", "acme")
    assert re.search(f"lasts +{text}", done.out)


def test_an_operator_names_the_tenant(server: AnsweringServer, petahour: Run) -> None:
    server.on("GET /v1/whoami", Answer(body={**WHO, "tenant": None}))
    done = petahour("balance")
    assert done.code == 3
    assert "petahour tenant list" in done.err


def test_usage_and_invoice(server: AnsweringServer, petahour: Run) -> None:
    record = {
        "id": "u",
        "allocation": "alloc-1",
        "job": "job-1",
        "project": "lm",
        "type": "cpu",
        "tier": "spot",
        "rehearsal": False,
        "start_ms": 1_772_366_400_000,
        "end_ms": 1_772_368_200_000,
        "accelerators": 2,
        "billed_ams": 3_600_000,
        "waived_ams": 0,
        "waive_reason": None,
        "amount_micros": 280_000,
        "charge": "chg-u",
    }
    usage = {"tenant": "acme", "month": "2026-03", "currency": "CNY", "records": [record]}
    server.on("GET /v1/tenants/acme/usage", Answer(body=usage))
    server.on("GET /v1/tenants/acme/invoices/2026-03", Answer(text="INVOICE 1\n"))
    out = petahour("usage", "acme", "--month", "2026-03").out
    assert "1.0000" in out
    assert out.splitlines()[2].split()[-1] == "0.28"
    assert petahour("usage", "acme", "--month", "2026-03", "--json").document == usage
    assert petahour("invoice", "acme", "--month", "2026-03").out == "INVOICE 1\n"
    asked = len(server.asked)
    assert petahour("invoice", "acme", "--month", "March").code == 3
    assert len(server.asked) == asked


def test_prices(server: AnsweringServer, petahour: Run) -> None:
    rows = [
        {"type": "cpu", "tier": "on-demand", "micros": 280_000},
        {"type": "cpu", "tier": "spot", "micros": 112_000},
        {"type": "br104", "tier": "on-demand", "micros": 6_500_000},
    ]
    books = [{"id": "b1", "currency": "CNY", "effective_ms": 0, "prices": rows}]
    server.on("GET /v1/prices", Answer(body={"books": books}))
    lines = petahour("prices").out.splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["TYPE", "ON-DEMAND", "SPOT"],
        ["br104", "6.50", "-"],
        ["cpu", "0.28", "0.112"],
    ]
    assert petahour("prices", "--currency", "USD").out == "No price books.\n"


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 1)])
def test_oversight_ends_as_the_checks_did(server: AnsweringServer, petahour: Run, ok: bool, code: int) -> None:
    cell = {"hour_ms": 0, "type": "cpu", "rehearsal": False, **SUMS}
    faults = [] if ok else ["an hour is missing"]
    result = {"ok": ok, **SUMS, "rehearsal": SUMS, "faults": faults, "cells": [cell, cell]}
    server.on("GET /v1/conservation", Answer(body=result))
    check = {"name": "debits equal credits", "ok": ok, "detail": "" if ok else "1 differs"}
    server.on("GET /v1/audit", Answer(body={"ok": ok, "checks": [check]}))
    shown = petahour("conservation")
    assert shown.code == code
    assert shown.out.splitlines()[2].split() == ["cpu", "2.0000", "0.0000", "0.0000", "2.0000", "0.0000", "4.0000"]
    assert ("an hour is missing" in shown.out) is not ok
    audited = petahour("audit")
    assert audited.code == code
    assert ("BROKEN" in audited.out) is not ok
    assert petahour("audit", "--json").document == {"ok": ok, "checks": [check]}


def test_status_says_who_leads(server: AnsweringServer, petahour: Run) -> None:
    lease = {
        "holder": {"name": "a", "url": "http://a:7420", "site": "/shared/petahour (0a1b)", "boot": "x"},
        "epoch": 3,
        "taken_ms": 1_772_366_400_000,
        "left_ms": 4_200,
    }
    found = {"replica": "b", "leads": False, "seen": 1_200, "last": 1_210, "lease": lease}
    server.on("GET /v1/standing", Answer(body=found), Answer(body=found), Answer(body={**found, "lease": None}))
    shown = petahour("status").out
    for text in ("b at http", "follower", "event 1,200, 10 to go", "a (http://a:7420), epoch 3", "another 4.2 s"):
        assert text in shown
    assert petahour("status", "--json").document["lease"]["holder"]["name"] == "a"  # type: ignore[index]
    assert "epoch" not in petahour("status").out


def test_prices_are_those_in_force_and_to_come(server: AnsweringServer, petahour: Run) -> None:
    row = {"type": "cpu", "tier": "spot", "micros": 112_000}
    never_ms = 4_000_000_000_000
    books = [
        {"id": "first", "currency": "CNY", "effective_ms": 0, "prices": [row]},
        {"id": "euros", "currency": "EUR", "effective_ms": 0, "until_ms": 5, "prices": [row]},
        {"id": "second", "currency": "CNY", "effective_ms": 9, "prices": [row]},
        {"id": "third", "currency": "CNY", "effective_ms": never_ms, "prices": [row]},
    ]
    server.on("GET /v1/prices", Answer(body={"books": books}))
    titles = [line for line in petahour("prices").out.splitlines() if "accelerator-hour" in line]
    assert [title.split(",")[0] for title in titles] == ["second", "third"]
    assert ["since" in title for title in titles] == [True, False]


def test_a_book_that_leaves_prices_out_is_published_with_a_warning(
    server: AnsweringServer, petahour: Run, tmp_path: Path
) -> None:
    rows = [{"type": "cpu", "tier": tier, "micros": 112_000} for tier in ("on-demand", "spot")]
    books = [
        {"id": "all", "currency": "CNY", "effective_ms": 0, "prices": rows},
        {"id": "less", "currency": "CNY", "effective_ms": 9, "prices": rows[:1]},
    ]
    server.on("GET /v1/prices", Answer(body={"books": books}))
    server.on("POST /v1/prices", Answer(status=201, body={"books": ["less"]}))
    (tmp_path / "prices.toml").write_text("")
    done = petahour("price", "publish", str(tmp_path / "prices.toml"))
    assert done.out == "Published: less\n"
    assert "less leaves out 1 price of the book before it (cpu spot): nobody can buy these in CNY" in done.err
