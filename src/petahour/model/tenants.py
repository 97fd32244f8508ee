"""Who rents and who acts: tenants, projects, users, API keys, roles and quotas."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Operator and finance act for the data centre; the other three act inside one tenant."""

    OPERATOR = "operator"
    FINANCE = "finance"
    TENANT_ADMIN = "tenant-admin"
    MEMBER = "member"
    VIEWER = "viewer"

    @property
    def of_operator(self) -> bool:
        return self in (Role.OPERATOR, Role.FINANCE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenant:
    """A company that rents. Its name is its id; its currency never changes."""

    name: str
    title: str
    currency: str
    created_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A tenant's cost centre and the directory its jobs live in."""

    tenant: str
    name: str
    directory: str
    created_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """A person or a program. ``tenant`` is None for the operator's own people."""

    name: str
    tenant: str | None
    role: Role
    created_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """A credential of a user. Only the hash of its secret is kept; the secret is shown once."""

    id: str
    user: str
    tenant: str | None
    role: Role
    secret_hash: str
    label: str
    created_ms: int
    revoked_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """A tenant's nominal share of one accelerator type, and how much it may borrow beyond (None: no bound).

    A tenant without a quota has a nominal share of zero and borrows what nobody was promised.

    ``cohort``: tenants of one lend each other what they leave idle of their shares; nobody borrows from another
    cohort's, and all that name none are of one. ``lending_limit``: how much of it, at most, is lent (None: all).
    """

    tenant: str
    type: str
    nominal: int
    borrowing_limit: int | None = None
    lending_limit: int | None = None
    cohort: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who asks: resolved from an API key on every request."""

    key: str
    user: str
    role: Role
    tenant: str | None
