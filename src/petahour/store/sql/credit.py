"""Top-up rules and requests, and the warnings told, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from petahour.model.credit import Budget, CreditTerms, DunningStep, RequestState, TopupRequest, TopupRule
from petahour.model.tenants import Role
from petahour.store.sql.rows import plain
from petahour.store.sql.schema import charges, usage_records
from petahour.store.sql.statements import one, rows
from petahour.store.sql.terms_schema import (
    budgets,
    credit_terms,
    credit_warnings,
    dunning,
    topup_requests,
    topup_rules,
)


class SqlCredit:
    """Who may add credit, who asked to, and who was warned."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put_rule(self, rule: TopupRule) -> None:
        column, row = topup_rules.c, plain(asdict(rule))
        same = (column.currency == rule.currency) & (column.role == rule.role.value)
        if not self._connection.execute(update(topup_rules).where(same), row).rowcount:
            self._connection.execute(insert(topup_rules), row)

    def rules(self) -> Sequence[TopupRule]:
        query = select(topup_rules).order_by(topup_rules.c.currency, topup_rules.c.role)
        return rows(self._connection, query, _rule_of)

    def put_request(self, request: TopupRequest) -> None:
        column, row = topup_requests.c, plain(asdict(request))
        same = (column.tenant == request.tenant) & (column.key == request.key)
        if not self._connection.execute(update(topup_requests).where(same), row).rowcount:
            self._connection.execute(insert(topup_requests), row)

    def request(self, tenant: str, key: str) -> TopupRequest | None:
        column = topup_requests.c
        query = select(topup_requests).where(column.tenant == tenant, column.key == key)
        return one(self._connection, query, _request_of)

    def requests(self, *, state: RequestState | None = None, limit: int = 1_000) -> Sequence[TopupRequest]:
        query = select(topup_requests).order_by(topup_requests.c.requested_ms.desc()).limit(limit)
        if state is not None:
            query = query.where(topup_requests.c.state == state.value)
        return rows(self._connection, query, _request_of)

    def warned(self) -> Mapping[str, int]:
        found = self._connection.execute(select(credit_warnings.c.tenant, credit_warnings.c.level_h))
        return {row.tenant: row.level_h for row in found}

    def put_warned(self, tenant: str, level_h: int | None, *, at_ms: int) -> None:
        self._connection.execute(delete(credit_warnings).where(credit_warnings.c.tenant == tenant))
        if level_h is not None:
            row = {"tenant": tenant, "level_h": level_h, "at_ms": at_ms}
            self._connection.execute(insert(credit_warnings), row)

    def put_terms(self, terms: CreditTerms) -> None:
        row = asdict(terms)
        same = credit_terms.c.tenant == terms.tenant
        if not self._connection.execute(update(credit_terms).where(same), row).rowcount:
            self._connection.execute(insert(credit_terms), row)

    def terms(self, tenant: str) -> CreditTerms:
        query = select(credit_terms).where(credit_terms.c.tenant == tenant)
        return one(self._connection, query, _terms_of) or CreditTerms(tenant=tenant)

    def every_terms(self) -> Mapping[str, CreditTerms]:
        return {terms.tenant: terms for terms in rows(self._connection, select(credit_terms), _terms_of)}

    def put_step(self, tenant: str, step: DunningStep, *, at_ms: int) -> None:
        self._connection.execute(delete(dunning).where(dunning.c.tenant == tenant))
        if step is not DunningStep.NONE:
            self._connection.execute(insert(dunning), {"tenant": tenant, "step": step.value, "at_ms": at_ms})

    def steps(self) -> Mapping[str, tuple[DunningStep, int]]:
        found = self._connection.execute(select(dunning).order_by(dunning.c.tenant))
        return {row.tenant: (DunningStep(row.step), row.at_ms) for row in found}

    def put_budget(self, budget: Budget) -> None:
        row = {**asdict(budget), "alerts": ",".join(str(percent) for percent in budget.alerts)}
        same = (budgets.c.tenant == budget.tenant) & (budgets.c.project == budget.project)
        if not self._connection.execute(update(budgets).where(same), row).rowcount:
            self._connection.execute(insert(budgets), row)

    def remove_budget(self, tenant: str, project: str) -> None:
        same = (budgets.c.tenant == tenant) & (budgets.c.project == project)
        self._connection.execute(delete(budgets).where(same))

    def budgets(self, tenant: str | None = None) -> Sequence[Budget]:
        query = select(budgets).order_by(budgets.c.tenant, budgets.c.project)
        return rows(
            self._connection, query if tenant is None else query.where(budgets.c.tenant == tenant), _budget_of
        )

    def charged_micros(self, *, tenant: str, project: str, from_ms: int, to_ms: int) -> int:
        column = usage_records.c
        billed = select(func.coalesce(func.sum(charges.c.amount_micros), 0))
        query = billed.join_from(usage_records, charges, charges.c.usage == column.id).where(
            column.tenant == tenant,
            column.hour_ms >= from_ms,
            column.hour_ms < to_ms,
            column.project == project,
            column.rehearsal.is_(False),
        )
        return int(self._connection.execute(query).scalar_one())


def _rule_of(row: Mapping[str, Any]) -> TopupRule:
    return TopupRule(**{**row, "role": Role(row["role"])})


def _request_of(row: Mapping[str, Any]) -> TopupRequest:
    return TopupRequest(**{**row, "state": RequestState(row["state"])})


def _terms_of(row: Mapping[str, Any]) -> CreditTerms:
    return CreditTerms(**row)


def _budget_of(row: Mapping[str, Any]) -> Budget:
    return Budget(**{**row, "alerts": tuple(int(part) for part in row["alerts"].split(",") if part)})
