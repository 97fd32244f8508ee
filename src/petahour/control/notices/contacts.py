"""Contacts: where a tenant wants to be told."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.notices.outbox import tell
from petahour.control.tenants import known_tenant
from petahour.model.errors import ConflictError, NotFoundError, ValidationError
from petahour.model.notices import Channel, Contact, Notice
from petahour.model.tenants import Caller

MAX_CONTACTS = 20
MAX_TARGET = 500
LISTED = 100


def add_contact(context: Context, caller: Caller, tenant: str, *, channel: Channel, target: str) -> Contact:
    """A new contact; its secret is in this answer only. Adding one twice is refused."""
    authorize(caller, Action.MANAGE_TENANT, tenant)
    _check_target(channel, target)
    contact = Contact(
        id=context.ids.new("contact"),
        tenant=tenant,
        channel=channel,
        target=target,
        secret="whs_" + secrets.token_hex(24) if channel is Channel.WEBHOOK else "",
        created_ms=context.clock.now_ms(),
    )
    with context.store.write() as tx:
        known_tenant(tx, tenant)
        known = tx.notices.contacts(tenant)
        if any(other.target == target for other in known):
            raise ConflictError(
                field="target", value=target, rule="a contact not yet there", remedy="Remove the known one first."
            )
        if len(known) >= MAX_CONTACTS:
            raise ConflictError(
                field="target", value=len(known), rule=f"at most {MAX_CONTACTS} contacts", remedy="Remove one first."
            )
        tx.notices.add_contact(contact)
    return contact


def contacts_of(context: Context, caller: Caller, tenant: str) -> Sequence[Contact]:
    """A tenant's contacts."""
    authorize(caller, Action.MANAGE_TENANT, tenant)
    with context.store.read() as tx:
        known_tenant(tx, tenant)
        return tx.notices.contacts(tenant)


def remove_contact(context: Context, caller: Caller, tenant: str, contact_id: str) -> None:
    """From now on nothing is sent there."""
    authorize(caller, Action.MANAGE_TENANT, tenant)
    with context.store.write() as tx:
        _known(tx.notices.contact(contact_id), tenant, contact_id)
        tx.notices.remove_contact(contact_id)


def try_contact(context: Context, caller: Caller, tenant: str) -> int:
    """Send a trial notice to every contact; how many there are."""
    authorize(caller, Action.MANAGE_TENANT, tenant)
    now_ms = context.clock.now_ms()
    with context.store.write() as tx:
        known_tenant(tx, tenant)
        return tell(
            tx,
            tenant,
            cause=context.ids.new("trial"),
            kind="trial",
            subject=f"Petahour: a trial notice for {tenant}",
            text=f"{caller.user} asked for this trial notice. Nothing has happened.",
            facts={"by": caller.user},
            at_ms=now_ms,
        )


def notices_of(context: Context, caller: Caller, tenant: str) -> Sequence[Notice]:
    """The latest notices of a tenant with their deliveries, the newest first."""
    authorize(caller, Action.MANAGE_TENANT, tenant)
    with context.store.read() as tx:
        known_tenant(tx, tenant)
        return tx.notices.of_tenant(tenant, limit=LISTED)


def _known(contact: Contact | None, tenant: str, contact_id: str) -> Contact:
    if contact is None or contact.tenant != tenant:
        raise NotFoundError(field="contact", value=contact_id, rule="no such contact", remedy="List the contacts.")
    return contact


def _check_target(channel: Channel, target: str) -> None:
    fine = 0 < len(target) <= MAX_TARGET and target.isprintable() and " " not in target
    if channel is Channel.EMAIL:
        name, _, domain = target.partition("@")
        if not fine or not name or not domain or "@" in domain or any(mark in target for mark in '<>,;"'):
            raise ValidationError(
                field="target", value=target, rule="one e-mail address", remedy="Write it like ops@acme.example."
            )
        return
    try:
        parts = urlsplit(target)
        fine = fine and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine:
        raise ValidationError(
            field="target",
            value=target,
            rule="a URL of http or https with a host",
            remedy="Write it like https://hooks.acme.example/petahour.",
        )
