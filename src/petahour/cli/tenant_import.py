"""`tenant import-slurm`: accounts and associations of a Slurm cluster as tenants, projects, users and quotas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petahour.cli.exits import ExitCode
from petahour.cli.options import AsJson
from petahour.model.errors import ValidationError

if TYPE_CHECKING:
    from petahour.client.slurm_accounts import ImportPlan, Made
    from petahour.model.tenants import Quota

Renames = Annotated[
    list[str] | None, typer.Option("--rename", metavar="ACCOUNT=NAME", help="An account's name here; repeatable.")
]


def import_slurm(
    currency: Annotated[str, typer.Option(help="In which the new tenants buy, such as CNY; it never changes.")],
    file: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="What sacctmgr wrote; it is run without it.")
    ] = None,
    account: Annotated[
        list[str] | None,
        typer.Option(help="An account that becomes a tenant, repeatable; those right below root without it."),
    ] = None,
    cluster: Annotated[str | None, typer.Option(help="Of several clusters, which.")] = None,
    rename: Renames = None,
    rename_user: Annotated[
        list[str] | None, typer.Option(metavar="USER=NAME", help="A user's name here; repeatable.")
    ] = None,
    slurm: Annotated[
        Path | None, typer.Option(help="slurm.toml, for the types of the site's GRES; no quotas without it.")
    ] = None,
    slurm_conf: Annotated[Path | None, typer.Option(help="slurm.conf, where it is not in Slurm's own place.")] = None,
    guarantee: Annotated[
        bool, typer.Option("--guarantee", help="GrpTRES as a share of the tenant's own, not only as a bound.")
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Make it; without it, only shown.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take over Slurm's accounts: as tenants, those below them as projects, their users, and GrpTRES as quotas.

    Shows what would be made, and what Slurm has that is not taken over; --apply makes what is not there yet.
    Exit 1 where something is there already and different: it is left as it is.
    """
    from petahour.cli.render import show_json
    from petahour.cli.slurm_assembly import site_gres
    from petahour.client.slurm_accounts import ImportOptions, plan_import
    from petahour.engines.slurm.accounts import read_accounts

    options = ImportOptions(
        currency=currency,
        cluster=cluster,
        tenants=frozenset(account or ()),
        rename=_pairs("rename", rename),
        rename_users=_pairs("rename-user", rename_user),
        gres=site_gres(slurm),
        guarantee=guarantee,
    )
    plan = plan_import(read_accounts(_text(file, slurm_conf)), options)
    made = _apply(plan) if apply else []
    if as_json:
        show_json({"tenants": plan.tenants, "left_out": plan.left_out, "applied": apply, "made": made})
    else:
        _show(plan, made, applied=apply)
    if any(one.outcome == "different" for one in made):
        raise typer.Exit(ExitCode.FAILED)


def _text(file: Path | None, slurm_conf: Path | None) -> str:
    if file is None:
        from petahour.engines.slurm.accounts import ask_accounts
        from petahour.engines.slurm.commands import Commands

        return ask_accounts(Commands(slurm_conf))
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValidationError(
            field="from", value=str(file), rule=f"a readable UTF-8 file ({error})", remedy="Name another."
        ) from None


def _apply(plan: ImportPlan) -> list[Made]:
    from petahour.cli.render import progress
    from petahour.cli.session import connect
    from petahour.client.slurm_accounts import carry_out

    with connect() as client, progress("Making tenants"):
        return list(carry_out(client, plan))


def _pairs(field: str, said: Sequence[str] | None) -> Mapping[str, str]:
    found = {}
    for one in said or ():
        old, equals, new = one.partition("=")
        if not (old and equals and new):
            raise ValidationError(
                field=field, value=one, rule="a name in Slurm, =, and the name here", remedy="Write a_b=a-b."
            )
        found[old] = new
    return found


def _show(plan: ImportPlan, made: Sequence[Made], *, applied: bool) -> None:
    from petahour.cli.render import Column, show_table

    columns = (
        Column(title="TENANT"),
        Column(title="ACCOUNT"),
        Column(title="PROJECTS", wraps=True),
        Column(title="USERS", wraps=True),
        Column(title="QUOTAS", wraps=True),
    )
    rows = [
        (
            new.name,
            new.account,
            ", ".join(new.projects) or "-",
            ", ".join(user.name + ("*" if user.role != "member" else "") for user in new.users) or "-",
            ", ".join(map(_quota, new.quotas)) or "-",
        )
        for new in plan.tenants
    ]
    show_table(columns, rows, empty="No accounts.")
    if any(user.role != "member" for new in plan.tenants for user in new.users):
        typer.echo("* coordinators, who administrate their tenant")
    if plan.left_out:
        typer.echo("\nNot taken over:")
        titles = (Column(title="ACCOUNT"), Column(title="WHAT"), Column(title="WHY", wraps=True))
        show_table(titles, [(one.where, one.what, one.why) for one in plan.left_out], empty="")
    typer.echo()
    if not applied:
        typer.echo("Nothing was made. Repeat with --apply to make it.")
        return
    for outcome, text in (
        ("made", "made"),
        ("there", "there already"),
        ("different", "there and DIFFERENT, left so"),
    ):
        found = [one for one in made if one.outcome == outcome]
        if found:
            named = "" if outcome == "made" else ": " + ", ".join(f"{one.kind} {_full(one)}" for one in found[:20])
            typer.echo(f"{len(found)} {text}{named}")
    typer.echo('Users have no keys yet: "petahour tenant key create TENANT USER" makes one.')


def _quota(quota: Quota) -> str:
    return f"{quota.nominal} x {quota.type}" if quota.nominal else f"up to {quota.borrowing_limit} x {quota.type}"


def _full(one: Made) -> str:
    return one.name if one.kind == "tenant" else f"{one.tenant}/{one.name}"
