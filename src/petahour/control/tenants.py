"""Tenants, projects, users and quotas."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.specify import is_directory
from petahour.model.errors import ConflictError, NotFoundError, ValidationError
from petahour.model.events import Event, EventKind
from petahour.model.money import check_currency
from petahour.model.tenants import Caller, Project, Quota, Role, Tenant, User
from petahour.store.protocol import Transaction

DEFAULT_PROJECT = "default"
MAX_SHARE = 10_000_000
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,38}")
_COHORT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_RESERVED = frozenset({"operator", "other"})  # the ledger's own accounts, and the mask for other tenants


def create_tenant(context: Context, caller: Caller, *, name: str, title: str, currency: str) -> Tenant:
    """A tenant with its default project. Its currency must have a price book and never changes."""
    authorize(caller, Action.CREATE_TENANT)
    _slug("name", name)
    if check_currency(currency) not in context.prices.currencies:
        raise ValidationError(
            field="currency",
            value=currency,
            rule="a currency with a price book",
            remedy=f"Use one of {', '.join(context.prices.currencies)}, or add a price book.",
        )
    now_ms = context.clock.now_ms()
    tenant = Tenant(name=name, title=title or name, currency=currency, created_ms=now_ms)
    with context.store.write() as tx:
        if tx.people.tenant(name) is not None:
            raise _taken("name", name)
        tx.people.add_tenant(tenant)
        tx.people.add_project(_project(context, name, DEFAULT_PROJECT, None))
        tx.events.append(Event(kind=EventKind.TENANT_CREATED, at_ms=now_ms, tenant=name, data={"currency": currency}))
    context.wake()
    return tenant


def tenants_for(context: Context, caller: Caller) -> list[Tenant]:
    """All tenants for the operator's people; one's own otherwise."""
    authorize(caller, Action.LIST_TENANTS)
    with context.store.read() as tx:
        return [item for item in tx.people.tenants() if caller.role.of_operator or item.name == caller.tenant]


def find_tenant(context: Context, caller: Caller, name: str) -> Tenant:
    """One tenant that the caller may see."""
    authorize(caller, Action.READ_TENANT, name)
    with context.store.read() as tx:
        return known_tenant(tx, name)


def known_tenant(tx: Transaction, name: str) -> Tenant:
    """The tenant, or NotFoundError."""
    tenant = tx.people.tenant(name)
    if tenant is None:
        raise NotFoundError(field="tenant", value=name, rule="no such tenant", remedy="Check the name.")
    return tenant


def paying_tenant(tx: Transaction, name: str, currency: str) -> Tenant:
    """The tenant of this name, whose account is in this currency. Raises NotFoundError, ValidationError otherwise."""
    owner = known_tenant(tx, name)
    if owner.currency != currency:
        raise ValidationError(
            field="currency",
            value=currency,
            rule=f"the tenant's currency {owner.currency}",
            remedy="Convert the payment first.",
        )
    return owner


def create_project(context: Context, caller: Caller, tenant: str, *, name: str, directory: str | None) -> Project:
    """A cost centre with a directory of its own. Only the operator chooses a directory on the host."""
    authorize(caller, Action.MANAGE_TENANT, tenant)
    _slug("name", name)
    if directory is not None:
        authorize(caller, Action.MANAGE_OPERATOR)
        if not Path(directory).is_absolute() or not is_directory(Path(directory)):
            raise ValidationError(
                field="directory",
                value=directory,
                rule="an existing absolute directory",
                remedy="Create it first, or leave it out to have one made.",
            )
    with context.store.write() as tx:
        known_tenant(tx, tenant)
        if tx.people.project(tenant, name) is not None:
            raise _taken("name", name)
        project = _project(context, tenant, name, directory)
        tx.people.add_project(project)
    return project


def list_projects(context: Context, caller: Caller, tenant: str) -> list[Project]:
    """A tenant's projects."""
    authorize(caller, Action.READ_TENANT, tenant)
    with context.store.read() as tx:
        known_tenant(tx, tenant)
        return list(tx.people.projects(tenant))


def create_user(context: Context, caller: Caller, tenant: str | None, *, name: str, role: Role) -> User:
    """A user of a tenant, or (tenant None) one of the operator's people."""
    authorize(caller, Action.MANAGE_OPERATOR if tenant is None else Action.MANAGE_TENANT, tenant)
    _slug("name", name)
    if role.of_operator is not (tenant is None):
        fitting = [str(item) for item in Role if item.of_operator is (tenant is None)]
        raise ValidationError(
            field="role",
            value=str(role),
            rule="a role that fits the tenant",
            remedy=f"Use one of {', '.join(fitting)}.",
        )
    user = User(name=name, tenant=tenant, role=role, created_ms=context.clock.now_ms())
    with context.store.write() as tx:
        if tenant is not None:
            known_tenant(tx, tenant)
        if tx.people.user(tenant, name) is not None:
            raise _taken("name", name)
        tx.people.add_user(user)
    return user


def list_users(context: Context, caller: Caller, tenant: str | None) -> list[User]:
    """A tenant's users, or the operator's."""
    authorize(caller, Action.MANAGE_OPERATOR if tenant is None else Action.MANAGE_TENANT, tenant)
    with context.store.read() as tx:
        return list(tx.people.users(tenant))


def set_quota(
    context: Context,
    caller: Caller,
    tenant: str,
    *,
    accelerator_type: str,
    nominal: int,
    borrowing_limit: int | None = None,
    lending_limit: int | None = None,
    cohort: str = "",
) -> Quota:
    """A tenant's nominal share of a type, how far beyond it may borrow, and how much of it is lent to whom."""
    authorize(caller, Action.SET_QUOTA)
    name = context.catalog.get(accelerator_type).name
    limits = {"nominal": nominal, "borrowing_limit": borrowing_limit or 0, "lending_limit": lending_limit or 0}
    for field, value in limits.items():
        if not 0 <= value <= MAX_SHARE:
            raise ValidationError(
                field=field,
                value=value,
                rule=f"a whole number from 0 to {MAX_SHARE}",
                remedy="Choose one in that range.",
            )
    if cohort and _COHORT.fullmatch(cohort) is None:
        raise ValidationError(
            field="cohort",
            value=cohort,
            rule="1 to 60 letters, digits, dots, dashes or underscores, starting with a letter or digit",
            remedy='Write it like "research", or leave it out for the cohort of all who name none.',
        )
    quota = Quota(
        tenant=tenant,
        type=name,
        nominal=nominal,
        borrowing_limit=borrowing_limit,
        lending_limit=lending_limit,
        cohort=cohort,
    )
    with context.store.write() as tx:
        known_tenant(tx, tenant)
        tx.people.put_quota(quota)
        share = {key: value for key, value in asdict(quota).items() if key != "tenant"}
        tx.events.append(Event(kind=EventKind.QUOTA_SET, at_ms=context.clock.now_ms(), tenant=tenant, data=share))
    context.wake()
    return quota


def list_quotas(context: Context, caller: Caller, tenant: str) -> list[Quota]:
    """A tenant's quotas."""
    authorize(caller, Action.READ_QUOTA, tenant)
    with context.store.read() as tx:
        known_tenant(tx, tenant)
        return list(tx.people.quotas(tenant))


def _project(context: Context, tenant: str, name: str, directory: str | None) -> Project:
    if directory is None:
        made = context.data_dir / "projects" / tenant / name
        made.mkdir(parents=True, exist_ok=True)
        directory = str(made.resolve())
    return Project(tenant=tenant, name=name, directory=directory, created_ms=context.clock.now_ms())


def _slug(field: str, value: str) -> None:
    if _SLUG.fullmatch(value) is None or value in _RESERVED:
        raise ValidationError(
            field=field,
            value=value,
            rule="1 to 39 small letters, digits or dashes, starting with a letter or digit, and not reserved",
            remedy='Write it like "acme-labs".',
        )


def _taken(field: str, value: str) -> ConflictError:
    return ConflictError(field=field, value=value, rule="a name not yet taken", remedy="Choose another name.")
