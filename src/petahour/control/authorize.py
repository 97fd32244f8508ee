"""Who may do what: one table, asked on every route."""

from __future__ import annotations

from enum import StrEnum

from petahour.model.errors import ForbiddenError, NotFoundError
from petahour.model.tenants import Caller, Role


class Action(StrEnum):
    """Everything a caller can ask for. ``own``-scoped actions need a tenant the caller belongs to."""

    WHOAMI = "whoami"
    READ_CATALOG = "read-catalog"
    READ_FLEET = "read-fleet"
    CHANGE_FLEET = "change-fleet"
    READ_JOBS = "read-jobs"
    SUBMIT_JOB = "submit-job"
    CANCEL_JOB = "cancel-job"
    LIST_TENANTS = "list-tenants"
    READ_TENANT = "read-tenant"
    CREATE_TENANT = "create-tenant"
    MANAGE_TENANT = "manage-tenant"
    MANAGE_OPERATOR = "manage-operator"
    MANAGE_KEYS = "manage-keys"
    READ_QUOTA = "read-quota"
    SET_QUOTA = "set-quota"
    MAKE_QUOTE = "make-quote"
    READ_QUOTES = "read-quotes"
    READ_PRICES = "read-prices"
    PUBLISH_PRICES = "publish-prices"
    ADD_CREDIT = "add-credit"
    SET_TERMS = "set-terms"
    SET_BUDGET = "set-budget"
    WRITE_OFF = "write-off"
    READ_MONEY = "read-money"
    READ_USAGE = "read-usage"
    READ_INVOICE = "read-invoice"
    MANAGE_INVOICES = "manage-invoices"
    READ_RESERVATIONS = "read-reservations"
    REQUEST_RESERVATION = "request-reservation"
    SET_RESERVATION = "set-reservation"
    READ_REPORTS = "read-reports"
    AUDIT = "audit"
    READ_EVENTS = "read-events"
    READ_STANDING = "read-standing"


_EVERYONE = frozenset(Role)
_READ_ALL = frozenset({Role.OPERATOR, Role.FINANCE})
_WORKERS = frozenset({Role.OPERATOR, Role.TENANT_ADMIN, Role.MEMBER})
_ADMINS = frozenset({Role.OPERATOR, Role.TENANT_ADMIN})

PERMISSIONS: dict[Action, frozenset[Role]] = {
    Action.WHOAMI: _EVERYONE,
    Action.READ_CATALOG: _EVERYONE,
    Action.READ_FLEET: _EVERYONE,
    Action.CHANGE_FLEET: frozenset({Role.OPERATOR}),
    Action.READ_JOBS: _EVERYONE,
    Action.SUBMIT_JOB: _WORKERS,
    Action.CANCEL_JOB: _WORKERS,
    Action.LIST_TENANTS: _EVERYONE,
    Action.READ_TENANT: _EVERYONE,
    Action.CREATE_TENANT: frozenset({Role.OPERATOR}),
    Action.MANAGE_TENANT: _ADMINS,
    Action.MANAGE_OPERATOR: frozenset({Role.OPERATOR}),
    Action.MANAGE_KEYS: _ADMINS,
    Action.READ_QUOTA: _EVERYONE,
    Action.SET_QUOTA: frozenset({Role.OPERATOR}),
    Action.MAKE_QUOTE: _WORKERS,
    Action.READ_QUOTES: _EVERYONE,
    Action.READ_PRICES: _EVERYONE,
    Action.PUBLISH_PRICES: _READ_ALL,
    Action.ADD_CREDIT: _READ_ALL,
    Action.SET_TERMS: _READ_ALL,
    Action.SET_BUDGET: _ADMINS,
    Action.WRITE_OFF: _READ_ALL,
    Action.READ_MONEY: _EVERYONE,
    Action.READ_USAGE: _EVERYONE,
    Action.READ_INVOICE: frozenset({Role.OPERATOR, Role.FINANCE, Role.TENANT_ADMIN}),
    Action.MANAGE_INVOICES: _READ_ALL,
    Action.READ_RESERVATIONS: _EVERYONE,
    Action.REQUEST_RESERVATION: frozenset({Role.OPERATOR, Role.FINANCE, Role.TENANT_ADMIN}),
    Action.SET_RESERVATION: _READ_ALL,
    Action.READ_REPORTS: _READ_ALL,
    Action.AUDIT: _READ_ALL,
    Action.READ_EVENTS: frozenset({Role.OPERATOR}),
    Action.READ_STANDING: _READ_ALL,
}


def authorize(caller: Caller, action: Action, tenant: str | None = None) -> None:
    """Raises ForbiddenError when the role may not, NotFoundError when it is another tenant's.

    The tenant comes first: what belongs to somebody else does not exist for the caller, whatever his role.
    """
    if tenant is not None and not caller.role.of_operator and caller.tenant != tenant:
        raise NotFoundError(field="tenant", value=tenant, rule="no such tenant", remedy="Check the name.")
    if caller.role not in PERMISSIONS[action]:
        allowed = ", ".join(sorted(PERMISSIONS[action]))
        raise ForbiddenError(
            field="role",
            value=str(caller.role),
            rule=f"{action} needs one of the roles {allowed}",
            remedy="Ask an administrator of your tenant, or the operator.",
        )
