"""Slurm's accounts as tenants: what is to be made of them, and the making of it, through the API."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from petahour.client.client import Client
from petahour.engines.slurm.accounts import ROOT, Accounts, Association
from petahour.model.errors import ValidationError
from petahour.model.tenants import Quota, Role

DEFAULT_PROJECT = "default"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,38}")
_RESERVED = frozenset({"operator", "other"})
_WHY = {
    "Share": "the scheduler goes by what tenants used, not by shares of an account",
    "Priority": "priorities are of jobs",
    "QOS": "",
    "Def QOS": "",
    "MaxWall": "a walltime is asked for by each job",
}
_NO_COUNTERPART = "no counterpart; quotas bound accelerators in use, budgets what a project spends in a month"


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportOptions:
    """How accounts are taken over.

    ``tenants``: accounts that become tenants, those right below root without it; accounts below them are their
    projects. ``rename`` and ``rename_users``: names to use instead. ``gres``: the site's GRES to types.
    ``guarantee``: an account's GrpTRES is a nominal share, and not only the bound that it is in Slurm.
    """

    currency: str
    cluster: str | None = None
    tenants: frozenset[str] = frozenset()
    rename: Mapping[str, str] = field(default_factory=dict)
    rename_users: Mapping[str, str] = field(default_factory=dict)
    gres: Mapping[str, str] = field(default_factory=dict)
    guarantee: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class NewUser:
    """A user to be made, and who he is in Slurm."""

    name: str
    slurm: str
    role: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewTenant:
    """A tenant to be made of an account; ``projects``: name here to account there."""

    name: str
    account: str
    title: str
    currency: str
    projects: Mapping[str, str]
    users: tuple[NewUser, ...]
    quotas: tuple[Quota, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """Something that Slurm has and that is not taken over. ``where``: account, or account and user."""

    where: str
    what: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportPlan:
    """Everything that an import would make, and what it leaves out."""

    tenants: tuple[NewTenant, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What became of one thing of a plan: ``made``, ``there`` already, or there and ``different``, and left so."""

    kind: str
    tenant: str
    name: str
    outcome: str


def plan_import(accounts: Accounts, options: ImportOptions) -> ImportPlan:
    """What an import would do; the same input gives the same plan.

    Raises ValidationError for an account or a cluster that is not there, for names that would be the same, and for
    those of which nothing is left.
    """
    here = _of_cluster(accounts.associations, options.cluster)
    parents = {one.account: one.parent for one in here if not one.user and one.account != ROOT}
    unknown = sorted((options.tenants | options.rename.keys()) - parents.keys())
    if unknown:
        raise ValidationError(
            field="account", value=unknown[0], rule="an account of this cluster", remedy=f"It has {_some(parents)}."
        )
    chosen = options.tenants or {name for name, parent in parents.items() if parent == ROOT}
    owner = {name: _owner(name, parents, chosen) for name in parents}
    names = _names(chosen, options.rename, "account", "--rename")
    left: list[LeftOut] = []
    tenants = []
    for account in sorted(chosen):
        below = sorted(name for name, of in owner.items() if of == account and name != account)
        tenants.append(_tenant(account, names[account], below, here, accounts, options, left))
    for one in here:
        if one.account == ROOT and not one.user:
            left += _limits_left(one)
    left += [
        LeftOut(where=name, what="account", why="below none of the accounts that become tenants")
        for name, of in sorted(owner.items())
        if of is None
    ]
    return ImportPlan(tenants=tuple(tenants), left_out=tuple(left))


def carry_out(client: Client, plan: ImportPlan) -> Iterator[Made]:
    """Make what is not there yet, and tell of each thing. A repeat makes nothing."""
    there = {tenant.name: tenant for tenant in client.tenants()}
    for new in plan.tenants:
        known = there.get(new.name)
        if known is None:
            client.create_tenant(new.name, currency=new.currency, title=new.title)
        same = known is None or known.currency == new.currency
        yield _made("tenant", new.name, new.name, known, same=same)
        projects = {project.name: project for project in client.projects(new.name)}
        for name in new.projects:
            if name not in projects:
                client.create_project(new.name, name, directory=None)
            yield _made("project", new.name, name, projects.get(name))
        users = {user.name: user for user in client.users(new.name)}
        for user in new.users:
            before = users.get(user.name)
            if before is None:
                client.create_user(new.name, user.name, role=user.role)
            yield _made("user", new.name, user.name, before, same=before is None or before.role == user.role)
        quotas = {quota.type: quota for quota in client.quotas(new.name)}
        for quota in new.quotas:
            set_before = quotas.get(quota.type)
            if set_before is None:
                client.set_quota(quota)
            yield _made("quota", new.name, quota.type, set_before, same=set_before in (None, quota))


def _made(kind: str, tenant: str, name: str, before: object, *, same: bool = True) -> Made:
    outcome = "made" if before is None else "there" if same else "different"
    return Made(kind=kind, tenant=tenant, name=name, outcome=outcome)


def _of_cluster(associations: Iterable[Association], wanted: str | None) -> list[Association]:
    found = list(associations)
    clusters = sorted({one.cluster for one in found})
    if wanted is None and len(clusters) > 1:
        raise ValidationError(
            field="cluster",
            value=None,
            rule="one cluster",
            remedy=f"Name one of {', '.join(clusters)} with --cluster.",
        )
    if wanted is not None and wanted not in clusters:
        raise ValidationError(
            field="cluster", value=wanted, rule="a cluster of these", remedy=f"Use one of {', '.join(clusters)}."
        )
    return [one for one in found if wanted in (None, one.cluster)]


def _owner(account: str, parents: Mapping[str, str], chosen: Iterable[str]) -> str | None:
    """The nearest account above, or itself, that becomes a tenant."""
    seen = set()
    while account in parents and account not in seen:
        if account in chosen:
            return account
        seen.add(account)
        account = parents[account]
    return None


def _tenant(
    account: str,
    name: str,
    below: list[str],
    here: list[Association],
    accounts: Accounts,
    options: ImportOptions,
    left: list[LeftOut],
) -> NewTenant:
    own = {account, *below}
    quotas: tuple[Quota, ...] = ()
    for one in here:
        if one.account not in own:
            continue
        if one.account == account and not one.user:
            quotas, rest = _quotas(name, one, options)
            left += rest
            left += _limits_left(replace(one, limits={k: v for k, v in one.limits.items() if k != "GrpTRES"}))
        else:
            left += _limits_left(one)
    projects = _names(below, options.rename, "account", "--rename")
    coordinators = {user for one in own for user in accounts.coordinators.get(one, ())}
    people = sorted({one.user for one in here if one.account in own and one.user} | coordinators)
    users = _names(people, options.rename_users, "user", "--rename-user")
    return NewTenant(
        name=name,
        account=account,
        title=accounts.titles.get(account, "") or account,
        currency=options.currency,
        projects={projects[one]: one for one in below if projects[one] != DEFAULT_PROJECT},
        users=tuple(
            NewUser(
                name=users[one],
                slurm=one,
                role=(Role.TENANT_ADMIN if one in accounts.coordinators.get(account, ()) else Role.MEMBER).value,
            )
            for one in people
        ),
        quotas=quotas,
    )


def _quotas(tenant: str, one: Association, options: ImportOptions) -> tuple[tuple[Quota, ...], list[LeftOut]]:
    bounds: dict[str, int] = {}
    left = []
    for part in filter(None, one.limits.get("GrpTRES", "").split(",")):
        resource, _, count = part.partition("=")
        name, why = _type_of(resource, options.gres)
        if name is None or not count.isdigit():
            left.append(LeftOut(where=one.account, what=f"GrpTRES {part}", why=why or "not a whole number"))
        else:
            # Two names of a site for one type are two bounds, and together one.
            bounds[name] = bounds.get(name, 0) + int(count)
    made = (
        Quota(tenant=tenant, type=name, nominal=count, borrowing_limit=0)
        if options.guarantee
        else Quota(tenant=tenant, type=name, nominal=0, borrowing_limit=count)
        for name, count in sorted(bounds.items())
    )
    return tuple(made), left


def _type_of(resource: str, gres: Mapping[str, str]) -> tuple[str | None, str]:
    """The catalogue's type behind a TRES, or why there is none."""
    if not resource.startswith("gres/"):
        return None, "only accelerators are rented"
    name = resource.removeprefix("gres/")
    if name in gres:
        return gres[name], ""
    types = {wanted for site, wanted in gres.items() if site.partition(":")[0] == name}
    if len(types) == 1:
        return types.pop(), ""
    if types:
        return None, f"several types are behind {name}; a quota is of one type"
    return None, f"slurm.toml has no type for {name}"


def _limits_left(one: Association) -> list[LeftOut]:
    where = f"{one.account}, user {one.user}" if one.user else one.account
    left = []
    if one.partition:
        why = "whoever may submit may ask for every type"
        left.append(LeftOut(where=where, what=f"partition {one.partition}", why=why))
    for name, value in one.limits.items():
        plain = (name == "Share" and value == "1") or _WHY.get(name) == ""
        if plain:
            continue
        why = _WHY.get(name, _NO_COUNTERPART)
        if name == "GrpTRES":
            why = "quotas are of tenants, not of their projects and users"
        left.append(LeftOut(where=where, what=f"{name} {value}", why=why))
    return left


def _names(known: Iterable[str], rename: Mapping[str, str], what: str, option: str) -> dict[str, str]:
    """Names as they are allowed here. Raises ValidationError where two become one, or nothing is left of one."""
    taken: dict[str, list[str]] = defaultdict(list)
    names = {}
    for old in sorted(known):
        names[old] = rename.get(old) or _slug(old)
        taken[names[old]].append(old)
    for new, olds in sorted(taken.items()):
        if _NAME.fullmatch(new) is None or new in _RESERVED:
            raise _refuse_name(what, olds[0], f"it would be {new!r}, which is not a name here", option)
        if len(olds) > 1:
            raise _refuse_name(what, olds[1], f"{' and '.join(olds)} would both be {new!r}", option)
    return names


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:39].rstrip("-")


def _refuse_name(what: str, value: str, rule: str, option: str) -> ValidationError:
    return ValidationError(field=what, value=value, rule=rule, remedy=f"Choose another with {option} {value}=NAME.")


def _some(names: Iterable[str], most: int = 10) -> str:
    found = sorted(names)
    return ", ".join(found[:most]) + (f" and {len(found) - most} more" if len(found) > most else "")
