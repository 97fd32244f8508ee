"""Tenants, projects, users, keys and quotas in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, insert, select, update

from petahour.model.tenants import ApiKey, Project, Quota, Tenant, User
from petahour.store.sql.rows import key_of, key_row, user_of, user_row
from petahour.store.sql.schema import api_keys, projects, quotas, tenants, users
from petahour.store.sql.statements import one, rows


class SqlPeople:
    """Who rents and who acts."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add_tenant(self, tenant: Tenant) -> None:
        self._connection.execute(insert(tenants), asdict(tenant))

    def tenant(self, name: str) -> Tenant | None:
        return one(self._connection, select(tenants).where(tenants.c.name == name), _tenant_of)

    def tenants(self) -> Sequence[Tenant]:
        return rows(self._connection, select(tenants).order_by(tenants.c.name), _tenant_of)

    def add_project(self, project: Project) -> None:
        self._connection.execute(insert(projects), asdict(project))

    def project(self, tenant: str, name: str) -> Project | None:
        query = select(projects).where(projects.c.tenant == tenant, projects.c.name == name)
        return one(self._connection, query, _project_of)

    def projects(self, tenant: str | None = None) -> Sequence[Project]:
        query = select(projects).order_by(projects.c.tenant, projects.c.name)
        if tenant is not None:
            query = query.where(projects.c.tenant == tenant)
        return rows(self._connection, query, _project_of)

    def add_user(self, user: User) -> None:
        self._connection.execute(insert(users), user_row(user))

    def user(self, tenant: str | None, name: str) -> User | None:
        query = select(users).where(users.c.tenant == (tenant or ""), users.c.name == name)
        return one(self._connection, query, user_of)

    def users(self, tenant: str | None) -> Sequence[User]:
        query = select(users).where(users.c.tenant == (tenant or "")).order_by(users.c.name)
        return rows(self._connection, query, user_of)

    def add_key(self, key: ApiKey) -> None:
        self._connection.execute(insert(api_keys), key_row(key))

    def revoke_key(self, key_id: str, *, at_ms: int) -> None:
        live = (api_keys.c.id == key_id) & api_keys.c.revoked_ms.is_(None)
        self._connection.execute(update(api_keys).where(live), {"revoked_ms": at_ms})

    def key(self, key_id: str) -> ApiKey | None:
        return one(self._connection, select(api_keys).where(api_keys.c.id == key_id), key_of)

    def keys(self, tenant: str | None, *, everyone: bool = False) -> Sequence[ApiKey]:
        query = select(api_keys).order_by(api_keys.c.created_ms, api_keys.c.id)
        if not everyone:
            query = query.where(api_keys.c.tenant == (tenant or ""))
        return rows(self._connection, query, key_of)

    def put_quota(self, quota: Quota) -> None:
        same = (quotas.c.tenant == quota.tenant) & (quotas.c.type == quota.type)
        if not self._connection.execute(update(quotas).where(same), asdict(quota)).rowcount:
            self._connection.execute(insert(quotas), asdict(quota))

    def quotas(self, tenant: str | None = None) -> Sequence[Quota]:
        query = select(quotas).order_by(quotas.c.tenant, quotas.c.type)
        if tenant is not None:
            query = query.where(quotas.c.tenant == tenant)
        return rows(self._connection, query, _quota_of)


def _tenant_of(row: Mapping[str, Any]) -> Tenant:
    return Tenant(**row)


def _project_of(row: Mapping[str, Any]) -> Project:
    return Project(**row)


def _quota_of(row: Mapping[str, Any]) -> Quota:
    return Quota(**row)
