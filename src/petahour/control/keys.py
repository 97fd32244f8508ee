"""API keys: made once, stored as a hash, looked up on every request."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.model.errors import ConflictError, ForbiddenError, NotFoundError, UnauthenticatedError
from petahour.model.tenants import ApiKey, Caller, Role, User
from petahour.store.protocol import Transaction

FIRST_OPERATOR = "operator"


def new_key(tx: Transaction, user: User, *, label: str, key_id: str, now_ms: int) -> tuple[ApiKey, str]:
    """Store a key of the user; the second value is the text to show once.

    The secret carries 256 random bits, so a plain SHA-256 of it cannot be searched.
    """
    secret = secrets.token_hex(32)
    key = ApiKey(
        id=key_id,
        user=user.name,
        tenant=user.tenant,
        role=user.role,
        secret_hash=_hash(secret),
        label=label,
        created_ms=now_ms,
    )
    tx.people.add_key(key)
    return key, f"ph_{key_id.removeprefix('key-')}_{secret}"


def first_operator(context: Context) -> str | None:
    """Create the operator and his key on the first start: the key's text, or None when he exists."""
    with context.store.write() as tx:
        if tx.people.user(None, FIRST_OPERATOR) is not None:
            return None
        now_ms = context.clock.now_ms()
        user = User(name=FIRST_OPERATOR, tenant=None, role=Role.OPERATOR, created_ms=now_ms)
        tx.people.add_user(user)
        _, text = new_key(tx, user, label="first key", key_id=context.ids.new("key"), now_ms=now_ms)
        return text


def issue_key(context: Context, caller: Caller, *, tenant: str | None, user: str, label: str) -> tuple[ApiKey, str]:
    """A further key for a user. Tenant administrators make keys inside their tenant only."""
    authorize(caller, Action.MANAGE_KEYS if tenant is not None else Action.MANAGE_OPERATOR, tenant)
    with context.store.write() as tx:
        owner = tx.people.user(tenant, user)
        if owner is None:
            raise NotFoundError(field="user", value=user, rule="no such user", remedy="Create the user first.")
        return new_key(tx, owner, label=label, key_id=context.ids.new("key"), now_ms=context.clock.now_ms())


def list_keys(context: Context, caller: Caller) -> list[ApiKey]:
    """Every key for the operator, the tenant's own for its administrator."""
    authorize(caller, Action.MANAGE_KEYS, caller.tenant)
    with context.store.read() as tx:
        return list(tx.people.keys(caller.tenant, everyone=caller.role.of_operator))


def revoke_key(context: Context, caller: Caller, key_id: str) -> None:
    """From now on the key opens nothing. A caller cannot revoke the key he is using."""
    with context.store.write() as tx:
        key = tx.people.key(key_id)
        if key is None or not (caller.role.of_operator or key.tenant == caller.tenant):
            raise NotFoundError(field="key", value=key_id, rule="no such key", remedy="List keys to find its id.")
        authorize(caller, Action.MANAGE_KEYS if key.tenant is not None else Action.MANAGE_OPERATOR, key.tenant)
        if key.id == caller.key:
            raise ConflictError(
                field="key", value=key_id, rule="a key cannot revoke itself", remedy="Use another key to do it."
            )
        tx.people.revoke_key(key_id, at_ms=context.clock.now_ms())
    context.callers.forget()


def known_caller(context: Context, text: str) -> Caller | None:
    """The caller behind a key's text if it was checked a moment ago; never waits."""
    return context.callers.get(_hash(text), context.clock.now_ms())


def caller_of(context: Context, text: str) -> Caller:
    """The caller behind a key's text. Raises UnauthenticatedError, the same for every cause."""
    parts = text.split("_")
    if len(parts) == 3 and parts[0] == "ph":
        with context.store.read() as tx:
            key = tx.people.key(f"key-{parts[1]}")
        if key is not None and key.revoked_ms is None and hmac.compare_digest(key.secret_hash, _hash(parts[2])):
            caller = Caller(key=key.id, user=key.user, role=key.role, tenant=key.tenant)
            context.callers.put(_hash(text), caller, context.clock.now_ms())
            return caller
    raise UnauthenticatedError(
        field="Authorization",
        value=None,
        rule="a valid API key is needed",
        remedy='Run "petahour login", or send "Authorization: Bearer ph_...".',
    )


def own_tenant(caller: Caller, wanted: str | None) -> str:
    """The tenant an action is for: the caller's own, or the one an operator names."""
    tenant = wanted or caller.tenant
    if tenant is None:
        raise ForbiddenError(
            field="tenant",
            value=None,
            rule="an operator acts for a named tenant",
            remedy='Name it, with --tenant on the command line; "petahour tenant list" shows them.',
        )
    return tenant


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
