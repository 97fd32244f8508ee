"""A cluster's accounts and associations, as sacctmgr tells them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from petahour.engines.slurm.commands import Commands
from petahour.model.errors import ValidationError

ROOT = "root"  # the account that all others are below

# As asked for, and as sacctmgr calls the column then.
_ASSOCIATION = {
    "Cluster": "Cluster",
    "Account": "Account",
    "ParentName": "ParentName",
    "User": "User",
    "Partition": "Partition",
    "Fairshare": "Share",
    "GrpJobs": "GrpJobs",
    "GrpSubmitJobs": "GrpSubmit",
    "GrpTRES": "GrpTRES",
    "GrpTRESMins": "GrpTRESMins",
    "GrpTRESRunMins": "GrpTRESRunMins",
    "GrpWall": "GrpWall",
    "MaxJobs": "MaxJobs",
    "MaxSubmitJobs": "MaxSubmit",
    "MaxTRESPerJob": "MaxTRES",
    "MaxTRESPerNode": "MaxTRESPerNode",
    "MaxTRESMins": "MaxTRESMins",
    "MaxWall": "MaxWall",
    "QOS": "QOS",
    "DefaultQOS": "Def QOS",
    "Priority": "Priority",
}
_ACCOUNT = {"Account": "Account", "Description": "Descr", "Coordinators": "Coord Accounts"}
COMMANDS = (
    ("sacctmgr", "--parsable2", "show", "associations", f"format={','.join(_ASSOCIATION)}"),
    ("sacctmgr", "--parsable2", "show", "account", "WithCoord", f"format={','.join(_ACCOUNT)}"),
)
_NEEDED = ("Cluster", "Account", "ParentName", "User")
_PLAIN = frozenset({*_NEEDED, "Partition"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Association:
    """An account of a cluster, or with ``user`` somebody's part in it. ``limits``: columns that say something."""

    cluster: str
    account: str
    parent: str
    user: str
    partition: str
    limits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Accounts:
    """What sacctmgr told. ``titles`` and ``coordinators`` by account, where it was asked for them."""

    associations: tuple[Association, ...]
    titles: Mapping[str, str] = field(default_factory=dict)
    coordinators: Mapping[str, frozenset[str]] = field(default_factory=dict)


def ask_accounts(commands: Commands) -> str:
    """sacctmgr's two tables, one after the other. Raises UnavailableError when slurmdbd does not answer."""
    return "".join(commands.accounting(*words) for words in COMMANDS)


def read_accounts(text: str) -> Accounts:
    """The tables of ``COMMANDS`` in one text, the second one optional, the columns in any order.

    Raises ValidationError naming the line, or the column that is missing.
    """
    associations: list[Association] = []
    titles: dict[str, str] = {}
    coordinators: dict[str, frozenset[str]] = {}
    for row in _rows(text):
        account = row["Account"]
        if "Cluster" in row:
            said = {name: value for name, value in row.items() if name not in _PLAIN and value}
            associations.append(
                Association(
                    cluster=row["Cluster"],
                    account=account,
                    parent=row["ParentName"],
                    user=row["User"],
                    partition=row.get("Partition", ""),
                    limits=said,
                )
            )
        else:
            titles[account] = row.get("Descr", "")
            coordinators[account] = frozenset(filter(None, row.get("Coord Accounts", "").split(",")))
    if not associations:
        raise _refuse("associations", None, "a table of associations, with its heading")
    return Accounts(associations=tuple(associations), titles=titles, coordinators=coordinators)


def _rows(text: str) -> Iterator[dict[str, str]]:
    heading: Sequence[str] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        fields = line.split("|")
        if "Account" in fields:
            missing = [name for name in _NEEDED if name not in fields] if "Cluster" in fields else []
            if missing:
                raise _refuse(
                    f"line {number}", missing[0], "associations with every needed column; this one is missing"
                )
            heading = fields
        elif len(fields) != len(heading):
            raise _refuse(f"line {number}", line, f"{len(heading)} fields below a heading, parted by |")
        else:
            yield dict(zip(heading, fields, strict=True))


def _refuse(where: str, value: object, rule: str) -> ValidationError:
    remedy = "Make the file with: " + "; ".join(" ".join(words) for words in COMMANDS)
    return ValidationError(field=where, value=value, rule=rule, remedy=remedy)
