"""The route table against the role matrix: every route has its row, and every caller gets just what the row says."""

from __future__ import annotations

import time

import pytest
from tests.integration.api.conftest import PLACES, Api

from petahour.control.notices.contacts import add_contact, contacts_of
from petahour.control.topups import request_topup, set_topup_rule
from petahour.model.invoices import DocumentKind, DocumentLine, InvoiceDocument, InvoiceState, LineKind, Party
from petahour.model.notices import Channel
from petahour.model.tenants import Caller, Role
from petahour.model.time import month_of, to_iso

JOB = {"tenant": "acme", "command": ["true"], "types": ["a100-80g-sxm"]}
QUOTE = {"tenant": "acme", "hours": 100.0, "types": ["a100-80g-sxm"]}
SOON_MS = (time.time_ns() // 3_600_000_000_000 + 48) * 3_600_000  # in two days, at a whole hour
WINDOW = {"nodes": ["a100-0"], "from": to_iso(SOON_MS), "to": to_iso(SOON_MS + 21_600_000), "reason": "disks"}


def reserved(day: int = 0) -> dict[str, object]:
    """A window of six hours on some day, so that reservations of several days do not want the same accelerators."""
    from_ms = SOON_MS + day * 86_400_000
    times = {"from": to_iso(from_ms), "to": to_iso(from_ms + 21_600_000)}
    return {"tenant": "acme", "type": "a100-80g-sxm", "count": 1, **times}


ALL, READ_ALL = tuple(PLACES), ("operator", "finance")
OWN = ("operator", "finance", "tenant-admin", "member", "viewer")
WORKERS = ("operator", "tenant-admin", "member")
ADMINS = ("operator", "tenant-admin")
BOOK = '[[price_book]]\nid = "r"\ncurrency = "CNY"\neffective = 2999-01-01T00:00:00Z\nprices.cpu.spot = 1'

# (method, path) -> who may, and a body that is in order. Everybody else gets 403, or 404 for another tenant's.
MATRIX: dict[tuple[str, str], tuple[tuple[str, ...], object]] = {
    ("POST", "/v1/jobs"): (WORKERS, JOB),
    ("GET", "/v1/jobs"): (ALL, None),
    ("GET", "/v1/jobs/{job_id}"): (OWN, None),
    ("POST", "/v1/jobs/{job_id}/cancel"): (WORKERS, {}),
    ("GET", "/v1/jobs/{job_id}/logs"): (OWN, None),
    ("POST", "/v1/quotes"): (WORKERS, QUOTE),
    ("GET", "/v1/quotes"): (ALL, None),
    ("GET", "/v1/quotes/{quote_id}"): (OWN, None),
    ("GET", "/v1/quote-accuracy"): (ALL, None),
    ("GET", "/v1/jobs/{job_id}/throughput"): (OWN, None),
    ("GET", "/v1/fleet"): (ALL, None),
    ("GET", "/v1/catalog"): (ALL, None),
    ("GET", "/v1/catalog/{accelerator_type}"): (ALL, None),
    ("POST", "/v1/fleet/nodes/{name}/drain"): (("operator",), {"reason": "test"}),
    ("POST", "/v1/fleet/nodes/{name}/resume"): (("operator",), {}),
    ("GET", "/v1/maintenance"): (ALL, None),
    ("POST", "/v1/maintenance"): (("operator",), WINDOW),
    ("POST", "/v1/maintenance/{window_id}/cancel"): (("operator",), {}),
    ("GET", "/v1/reservations"): (ALL, None),
    ("POST", "/v1/reservations"): (("operator", "finance", "tenant-admin"), reserved()),
    ("GET", "/v1/reservations/{reservation_id}"): (OWN, None),
    ("POST", "/v1/reservations/{reservation_id}/confirm"): (READ_ALL, {}),
    ("POST", "/v1/reservations/{reservation_id}/cancel"): (("operator", "finance", "tenant-admin"), {}),
    ("POST", "/v1/reservations/{reservation_id}/extend"): (READ_ALL, {"to": to_iso(SOON_MS + 32_400_000)}),
    ("POST", "/v1/reservations/{reservation_id}/lend"): (("operator", "finance", "tenant-admin"), {"lends": True}),
    ("POST", "/v1/reservations/{reservation_id}/renew"): (("operator", "finance", "tenant-admin"), {"renews": False}),
    ("POST", "/v1/reservations/{reservation_id}/upgrade"): (READ_ALL, {"count": 1}),
    ("GET", "/v1/tenants"): (ALL, None),
    ("POST", "/v1/tenants"): (("operator",), {"name": "new", "currency": "USD"}),
    ("GET", "/v1/tenants/{tenant}"): (OWN, None),
    ("GET", "/v1/tenants/{tenant}/projects"): (OWN, None),
    ("POST", "/v1/tenants/{tenant}/projects"): (ADMINS, {"name": "new"}),
    ("GET", "/v1/tenants/{tenant}/users"): (ADMINS, None),
    ("POST", "/v1/tenants/{tenant}/users"): (ADMINS, {"name": "new", "role": "viewer"}),
    ("GET", "/v1/users"): (("operator",), None),
    ("POST", "/v1/users"): (("operator",), {"name": "new", "role": "finance"}),
    ("GET", "/v1/tenants/{tenant}/quotas"): (OWN, None),
    ("PUT", "/v1/tenants/{tenant}/quotas/{accelerator_type}"): (("operator",), {"nominal": 1}),
    ("GET", "/v1/whoami"): (ALL, None),
    ("GET", "/v1/keys"): (("operator", "tenant-admin", "stranger"), None),
    ("POST", "/v1/keys"): (ADMINS, {"user": "u-viewer", "tenant": "acme"}),
    ("DELETE", "/v1/keys/{key_id}"): (ADMINS, None),
    ("GET", "/v1/prices"): (ALL, None),
    ("POST", "/v1/prices"): (READ_ALL, {"text": BOOK}),
    ("GET", "/v1/prices/at"): (ALL, None),
    ("GET", "/v1/prices/spot"): (ALL, None),
    ("POST", "/v1/tenants/{tenant}/topups"): (READ_ALL, {"amount": "5", "currency": "CNY", "key": "k"}),
    ("GET", "/v1/tenants/{tenant}/balance"): (OWN, None),
    ("GET", "/v1/tenants/{tenant}/lent-shares"): (OWN, None),
    ("GET", "/v1/tenants/{tenant}/credit"): (OWN, None),
    ("GET", "/v1/tenants/{tenant}/credit-terms"): (OWN, None),
    ("PUT", "/v1/tenants/{tenant}/credit-terms"): (READ_ALL, {"postpaid": True, "limit": "10"}),
    ("GET", "/v1/tenants/{tenant}/budgets"): (OWN, None),
    ("PUT", "/v1/tenants/{tenant}/projects/{project}/budget"): (ADMINS, {"limit": "10"}),
    ("DELETE", "/v1/tenants/{tenant}/projects/{project}/budget"): (ADMINS, None),
    ("GET", "/v1/dunning"): (READ_ALL, None),
    ("POST", "/v1/invoices/{number}/write-off"): (READ_ALL, {"reason": "insolvent"}),
    ("POST", "/v1/tenants/{tenant}/credit-moves"): (
        READ_ALL,
        {"kind": "grant", "amount": "1", "currency": "CNY", "key": "g", "note": "welcome"},
    ),
    ("GET", "/v1/topup-requests"): (READ_ALL, None),
    ("POST", "/v1/tenants/{tenant}/topup-requests/{key}/approve"): (READ_ALL, {}),
    ("POST", "/v1/tenants/{tenant}/topup-requests/{key}/refuse"): (READ_ALL, {}),
    ("GET", "/v1/topup-rules"): (READ_ALL, None),
    ("PUT", "/v1/topup-rules/{currency}/{role}"): (("operator",), {"most": "5", "alone": "1"}),
    ("GET", "/v1/tenants/{tenant}/contacts"): (ADMINS, None),
    ("POST", "/v1/tenants/{tenant}/contacts"): (ADMINS, {"channel": "email", "target": "a@b.example"}),
    ("DELETE", "/v1/tenants/{tenant}/contacts/{contact_id}"): (ADMINS, None),
    ("POST", "/v1/tenants/{tenant}/contacts/try"): (ADMINS, {}),
    ("GET", "/v1/tenants/{tenant}/notices"): (ADMINS, None),
    ("GET", "/v1/tenants/{tenant}/usage"): (OWN, None),
    ("GET", "/v1/tenants/{tenant}/invoices/{month}"): (("operator", "finance", "tenant-admin"), None),
    ("POST", "/v1/closes"): (READ_ALL, {"month": "2026-01"}),
    ("GET", "/v1/invoices"): (("operator", "finance", "tenant-admin", "stranger"), None),
    ("GET", "/v1/invoices/{number}"): (("operator", "finance", "tenant-admin"), None),
    ("GET", "/v1/tenants/{tenant}/statements/{month}"): (("operator", "finance", "tenant-admin"), None),
    ("POST", "/v1/invoices/{number}/payments"): (READ_ALL, {"key": "bank-1"}),
    ("POST", "/v1/invoices/{number}/void"): (READ_ALL, {"reason": "wrong address"}),
    ("POST", "/v1/invoices/{number}/credit-notes"): (READ_ALL, {"line": 1, "reason": "slow", "key": "c-1"}),
    ("GET", "/v1/seller"): (READ_ALL, None),
    ("PUT", "/v1/seller"): (READ_ALL, {"party": {"name": "Seller"}}),
    ("GET", "/v1/tenants/{tenant}/billing"): (("operator", "finance", "tenant-admin"), None),
    ("PUT", "/v1/tenants/{tenant}/billing"): (READ_ALL, {"party": {"name": "Acme"}, "tax_rate": "13%"}),
    ("GET", "/v1/reports/revenue"): (READ_ALL, None),
    ("GET", "/v1/reports/occupancy"): (READ_ALL, None),
    ("GET", "/v1/reports/receivables"): (READ_ALL, None),
    ("GET", "/v1/reports/margin"): (READ_ALL, None),
    ("GET", "/v1/reports/runway"): (READ_ALL, None),
    ("GET", "/v1/conservation"): (READ_ALL, None),
    ("GET", "/v1/audit"): (READ_ALL, None),
    ("GET", "/v1/events"): (("operator",), None),
    ("GET", "/v1/standing"): (READ_ALL, None),
    ("POST", "/v1/transfers/{money_id}/reversal"): (READ_ALL, {"note": "test"}),
    ("GET", "/v1/explain/{subject}/{money_id}"): (OWN, None),
    ("GET", "/v1/explain/invoice/{number}"): (("operator", "finance", "tenant-admin"), None),
}
PUBLIC = {("GET", "/healthz")}
NAMED_IN_BODY = {("POST", "/v1/jobs"), ("POST", "/v1/keys"), ("POST", "/v1/quotes"), ("POST", "/v1/reservations")}


def routes(api: Api) -> set[tuple[str, str]]:
    """Every route the app answers, from its own description of itself."""
    described = api.http.get("/openapi.json").json()["paths"]
    return {(method.upper(), path) for path, methods in described.items() for method in methods}


def _ask(api: Api, who: str | None, method: str, path: str, body: object) -> int:
    job = api.make("/v1/jobs", JOB)["id"] if "{job_id}" in path else ""
    key = api.make("/v1/keys", {"user": "u-viewer", "tenant": "acme"})["id"] if "{key_id}" in path else ""
    quote = api.make("/v1/quotes", QUOTE)["id"] if "{quote_id}" in path else ""
    api.make("/v1/tenants/acme/topups", {"amount": "1", "currency": "CNY", "key": "explained"})
    month = month_of(api.assembly.context.clock.now_ms())
    number = _issued(api) if "{number}" in path else ""
    rest_of_path = {"currency": "CNY", "role": "finance", "key": "wire-1", "contact_id": "", "project": "default"}
    if "{key}" in path:
        _wait_for_a_second(api)
    if "{reservation_id}" in path:
        made = api.make("/v1/reservations", reserved([None, *PLACES].index(who) if "upgrade" in path else 0))
        rest_of_path["reservation_id"] = made["id"]
    if "{window_id}" in path:
        rest_of_path["window_id"] = api.ask("operator", "POST", "/v1/maintenance", json=WINDOW).json()["id"]
    if "{contact_id}" in path:
        rest_of_path["contact_id"] = _contact(api)
    path += "?currency=CNY" if path == "/v1/prices/at" else ""
    filled = path.format(
        number=number,
        job_id=job,
        key_id=key,
        quote_id=quote,
        name="a100-0",
        tenant="acme",
        month=month,
        accelerator_type="a100-80g-sxm",
        subject="transfer",
        money_id="trf-topup-acme:explained",
        **rest_of_path,
    )
    rest = {} if body is None else {"json": body}
    return int(api.ask(who, method, filled, **rest).status_code)


def _issued(api: Api) -> str:
    """The number of a new invoice of acme with one line, that is due."""
    line = DocumentLine(
        kind=LineKind.USE,
        month="2026-01",
        project="default",
        type="cpu",
        tier="spot",
        accelerator_ms=1,
        price_min_micros=1,
        price_max_micros=1,
        exact_micros=10_000,
        amount_micros=10_000,
    )
    with api.assembly.store.write() as tx:
        serial = tx.invoices.last_serial("PH2026") + 1
        number = f"PH2026-{serial:05d}"
        document = InvoiceDocument(
            id=f"inv-{serial}",
            kind=DocumentKind.INVOICE,
            tenant="acme",
            month=f"{2000 + serial}-01",
            from_ms=0,
            to_ms=1,
            currency="CNY",
            seller=Party(name="Seller"),
            buyer=Party(name="Acme"),
            lines=(line,),
            net_micros=10_000,
            exact_micros=10_000,
            tax_name="VAT",
            tax_rate_ppm=0,
            tax_micros=0,
            prepaid_micros=0,
            number=number,
            state=InvoiceState.ISSUED,
        )
        tx.invoices.put(document, series="PH2026", serial=serial)
    return number


def _wait_for_a_second(api: Api) -> None:
    """A top-up that somebody else asked for."""
    context = api.assembly.context
    operator = Caller(key="k", user="operator", role=Role.OPERATOR, tenant=None)
    second = Caller(key="k", user="second", role=Role.FINANCE, tenant=None)
    set_topup_rule(context, operator, currency="CNY", role=Role.FINANCE, most="9", alone="0")
    request_topup(context, second, "acme", amount="5", currency="CNY", key="wire-1", note="")


def _contact(api: Api) -> str:
    context = api.assembly.context
    operator = Caller(key="k", user="operator", role=Role.OPERATOR, tenant=None)
    known = contacts_of(context, operator, "acme")
    if known:
        return known[0].id
    return add_contact(context, operator, "acme", channel=Channel.EMAIL, target="ops@acme.example").id


def test_every_route_has_its_row(api: Api) -> None:
    assert routes(api) - PUBLIC == set(MATRIX)


@pytest.mark.parametrize(("method", "path"), sorted(MATRIX))
def test_every_caller_gets_what_his_role_allows(api: Api, method: str, path: str) -> None:
    allowed, body = MATRIX[method, path]
    assert _ask(api, None, method, path, body) == 401
    for who in PLACES:
        status = _ask(api, who, method, path, body)
        if who in allowed:
            assert 200 <= status < 300 or status == 409, (who, status)
        elif who == "stranger":
            # What is another tenant's does not exist; what is the operator's alone is forbidden to all alike.
            parts = ("{job_id}", "{tenant}", "{key_id}", "{quote_id}", "{number}", "{money_id}", "{reservation_id}")
            named = any(part in path for part in parts)
            hidden = (named and allowed not in (("operator",), READ_ALL)) or (method, path) in NAMED_IN_BODY
            assert status == (404 if hidden else 403), (who, status)
        else:
            assert status == 403, (who, status)


@pytest.mark.parametrize("key", ["ph_", "ph_x_y", "ph_a_b_c", "nonsense", "ph_" + "0" * 500, "ph_\u00e9_y"])
def test_no_other_text_opens_anything(api: Api, key: str) -> None:
    answer = api.http.get("/v1/jobs", headers={b"Authorization": b"Bearer " + key.encode()})
    assert answer.status_code == 401
    assert answer.json()["remedy"]


def test_a_revoked_key_opens_nothing_from_that_moment(api: Api) -> None:
    made = api.ask("operator", "POST", "/v1/keys", json={"user": "u-member", "tenant": "acme"}).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert api.http.get("/v1/whoami", headers=headers).status_code == 200
    assert api.ask("tenant-admin", "DELETE", f"/v1/keys/{made['id']}").status_code == 204
    assert api.http.get("/v1/whoami", headers=headers).status_code == 401
    assert api.ask("stranger", "DELETE", f"/v1/keys/{made['id']}").status_code == 404
