"""Terms: the part of the client that speaks of prices and of how tenants pay."""

from __future__ import annotations

import uuid
from typing import TypeVar

from petahour.client.decode import decode
from petahour.client.statements import Topup
from petahour.client.terms_nouns import Contact, Notice, PricesAt, Runway, TopupRequest, TopupRule
from petahour.client.transport import Query, Transport, json_of, segment

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
