"""Terms: the part of the client that speaks of prices and of how tenants pay."""

from __future__ import annotations

import uuid
from typing import TypeVar

from petahour.client.decode import decode
from petahour.client.statements import Topup
from petahour.client.terms_nouns import (
    Budget,
    Contact,
    CreditTerms,
    Dunning,
    Notice,
    PricesAt,
    Runway,
    SpotPrices,
    TopupRequest,
    TopupRule,
    WrittenOff,
)
from petahour.client.transport import Query, Transport, json_of, segment
from petahour.model.prices import SpotPrice

T = TypeVar("T")


class Terms:
    """Methods of the client, one per route. Errors are those of the client."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def publish_prices(self, text: str) -> tuple[str, ...]:
        """Publish the price books of a TOML text; their ids. Publishing the same again changes nothing."""
        answer = json_of(self._transport.send("POST", "/v1/prices", body={"text": text}, repeatable=True))
        ids = answer.get("books") if isinstance(answer, dict) else None
        return tuple(str(item) for item in decode(list, ids, place="books"))

    def prices_at(
        self,
        *,
        at_ms: int | None = None,
        tenant: str | None = None,
        book: str | None = None,
        currency: str | None = None,
    ) -> PricesAt:
        """What everything costs at an instant (now without one): for a tenant, by a book, or in a currency."""
        query: Query = {"at_ms": at_ms, "tenant": tenant, "book": book, "currency": currency}
        return self._get(PricesAt, "/v1/prices/at", query)

    def spot_prices(
        self, *, currency: str | None = None, type_name: str | None = None, hours: int = 24
    ) -> tuple[SpotPrice, ...]:
        """What was posted for spot in the last hours and for the next one, the oldest first."""
        query: Query = {"currency": currency, "type": type_name, "hours": hours}
        return self._get(SpotPrices, "/v1/prices/spot", query).prices

    # Credit

    def request_topup(
        self, tenant: str, amount: str, *, currency: str, key: str | None = None, note: str = ""
    ) -> Topup | TopupRequest:
        """Credit a tenant, or, above what one may add alone, ask a second person to approve it."""
        body = {"amount": amount, "currency": currency, "key": key or str(uuid.uuid4()), "note": note}
        made = json_of(self._transport.send("POST", f"{tenant_path(tenant)}/topups", body=body, repeatable=True))
        if isinstance(made, dict) and "request" in made:
            return decode(TopupRequest, made["request"], place="request")
        return decode(Topup, made)

    def move_credit(self, tenant: str, kind: str, amount: str, *, currency: str, key: str, note: str) -> Topup:
        """Give credit (``grant``), make a fault good (``service-credit``), or note what was paid back."""
        body = {"kind": kind, "amount": amount, "currency": currency, "key": key, "note": note}
        path = f"{tenant_path(tenant)}/credit-moves"
        return decode(Topup, json_of(self._transport.send("POST", path, body=body, repeatable=True)))

    def topup_requests(self, *, waiting: bool = True) -> tuple[TopupRequest, ...]:
        """Top-ups that wait for a second person, or all that ever did."""
        return self._list("/v1/topup-requests", "requests", TopupRequest, {"waiting": "true" if waiting else "false"})

    def approve_topup(self, tenant: str, key: str) -> TopupRequest:
        """Add the credit that another person asked for."""
        return self._post(TopupRequest, f"{_request(tenant, key)}/approve", {}, repeatable=True)

    def refuse_topup(self, tenant: str, key: str) -> TopupRequest:
        """Add nothing; the key is used up."""
        return self._post(TopupRequest, f"{_request(tenant, key)}/refuse", {}, repeatable=True)

    def topup_rules(self) -> tuple[TopupRule, ...]:
        """What each role may add."""
        return self._list("/v1/topup-rules", "rules", TopupRule)

    def set_topup_rule(self, currency: str, role: str, *, most: str, alone: str) -> TopupRule:
        """What a role may add at once, and above which amount a second person approves."""
        path = f"/v1/topup-rules/{segment('currency', currency)}/{segment('role', role)}"
        return self._put(TopupRule, path, {"most": most, "alone": alone})

    def credit(self, tenant: str) -> Runway:
        """How long a tenant's credit lasts at the present burn."""
        return self._get(Runway, f"{tenant_path(tenant)}/credit")

    # Terms of payment

    def credit_terms(self, tenant: str) -> CreditTerms:
        """How a tenant pays."""
        return self._get(CreditTerms, f"{tenant_path(tenant)}/credit-terms")

    def set_credit_terms(
        self, tenant: str, *, postpaid: bool, limit: str = "0", days: tuple[int, int, int, int] = (1, 7, 14, 30)
    ) -> CreditTerms:
        """How a tenant pays from now on. ``days`` overdue: to remind, to stop new jobs, spot jobs, all jobs."""
        names = ("remind_days", "stop_new_days", "stop_spot_days", "stop_all_days")
        body: dict[str, object] = {"postpaid": postpaid, "limit": limit, **dict(zip(names, days, strict=True))}
        return self._put(CreditTerms, f"{tenant_path(tenant)}/credit-terms", body)

    def budgets(self, tenant: str) -> tuple[Budget, ...]:
        """The budgets of a tenant's projects."""
        return self._list(f"{tenant_path(tenant)}/budgets", "budgets", Budget)

    def set_budget(
        self, tenant: str, project: str, limit: str, *, hard: bool = False, alerts: tuple[int, ...] = (50, 80, 100)
    ) -> Budget:
        """What a project may spend in a calendar month."""
        body: dict[str, object] = {"limit": limit, "hard": hard, "alerts": list(alerts)}
        return self._put(Budget, _budget(tenant, project), body)

    def remove_budget(self, tenant: str, project: str) -> None:
        """Let a project spend without a limit of its own."""
        self._transport.send("DELETE", _budget(tenant, project), repeatable=True)

    def dunning(self) -> tuple[Dunning, ...]:
        """Tenants with overdue invoices, and how far their collection has come."""
        return self._list("/v1/dunning", "dunning", Dunning)

    def write_off(self, number: str, *, reason: str) -> WrittenOff:
        """Give up what is still due of an invoice."""
        path = f"/v1/invoices/{segment('number', number)}/write-off"
        return self._post(WrittenOff, path, {"reason": reason}, repeatable=True)

    # Notices

    def contacts(self, tenant: str) -> tuple[Contact, ...]:
        """Where a tenant is told."""
        return self._list(f"{tenant_path(tenant)}/contacts", "contacts", Contact)

    def add_contact(self, tenant: str, channel: str, target: str) -> Contact:
        """A new contact; a webhook's secret is in this answer only."""
        return self._post(Contact, f"{tenant_path(tenant)}/contacts", {"channel": channel, "target": target})

    def remove_contact(self, tenant: str, contact_id: str) -> None:
        """Send nothing there any more."""
        path = f"{tenant_path(tenant)}/contacts/{segment('contact', contact_id)}"
        self._transport.send("DELETE", path, repeatable=True)

    def try_contacts(self, tenant: str) -> int:
        """Send a trial notice to every contact; how many."""
        path = f"{tenant_path(tenant)}/contacts/try"
        answer = json_of(self._transport.send("POST", path, body={}, repeatable=False))
        return decode(int, answer.get("notices") if isinstance(answer, dict) else None, place="notices")

    def notices(self, tenant: str) -> tuple[Notice, ...]:
        """The latest notices and their deliveries."""
        return self._list(f"{tenant_path(tenant)}/notices", "notices", Notice)

    def _put(self, kind: type[T], path: str, body: dict[str, object]) -> T:
        return decode(kind, json_of(self._transport.send("PUT", path, body=body, repeatable=True)))

    def _list(self, path: str, name: str, kind: type[T], query: Query | None = None) -> tuple[T, ...]:
        value = json_of(self._transport.send("GET", path, query=query, repeatable=True))
        items = decode(list, value.get(name) if isinstance(value, dict) else value, place=name)
        return tuple(decode(kind, item, place=f"{name}[{index}]") for index, item in enumerate(items))

    def _get(self, kind: type[T], path: str, query: Query | None = None) -> T:
        return decode(kind, json_of(self._transport.send("GET", path, query=query, repeatable=True)))

    def _post(self, kind: type[T], path: str, body: dict[str, object], *, repeatable: bool = False) -> T:
        return decode(kind, json_of(self._transport.send("POST", path, body=body, repeatable=repeatable)))


def tenant_path(name: str) -> str:
    """``/v1/tenants/NAME``."""
    return f"/v1/tenants/{segment('tenant', name)}"


def _request(tenant: str, key: str) -> str:
    return f"{tenant_path(tenant)}/topup-requests/{segment('key', key)}"


def _budget(tenant: str, project: str) -> str:
    return f"{tenant_path(tenant)}/projects/{segment('project', project)}/budget"
