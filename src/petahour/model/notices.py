"""Notices: what is told to people outside, by webhook or e-mail, and where it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Channel(StrEnum):
    """How a notice travels."""

    WEBHOOK = "webhook"
    EMAIL = "email"


@dataclass(frozen=True, kw_only=True, slots=True)
class Contact:
    """Where a tenant is told. ``secret`` signs webhooks, so that the receiver can tell them from forgeries."""

    id: str
    tenant: str
    channel: Channel
    target: str
    secret: str
    created_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """One message to one contact, stored with what it tells of and delivered at least once.

    The id derives from the cause and the contact, so that one cause is told to nobody twice by mistake.
    ``due_ms``: when it is tried next. Neither ``sent_ms`` nor ``failed_ms``: still under way.
    """

    id: str
    tenant: str
    contact: str
    channel: Channel
    target: str
    subject: str
    body: str
    created_ms: int
    due_ms: int
    tries: int = 0
    sent_ms: int | None = None
    failed_ms: int | None = None
    error: str = ""
