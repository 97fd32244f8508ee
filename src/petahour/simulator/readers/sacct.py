"""sacct: a Slurm cluster's own accounting, as `sacct --allocations --parsable2` writes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from sys import intern

from petahour.model.time import MINUTE_MS
from petahour.simulator.readers.columns import known, text_column
from petahour.simulator.readers.header import Header
from petahour.simulator.readers.rows import TENANT, Draft, Format, Parse, ReadOptions
from petahour.simulator.readers.values import Clock, RowFault, count, span_ms

# The columns to ask of sacct. The job's name comes last: it may hold the character between the columns.
FIELDS = ("JobIDRaw", "User", "Account", "Partition", "State", "Submit", "Start", "End", "TimelimitRaw", "AllocTRES")
ALL_FIELDS = (*FIELDS, "JobName")
_NEVER = frozenset({"", "unknown", "none", "n/a"})
_TYPED = re.compile(r"gres/([^:=,]+):([^=,]+)=(\d+)")
_PLAIN = re.compile(r"gres/([^:=,]+)=(\d+)")


def _split(text: str) -> list[str]:
    return text.split("|", len(ALL_FIELDS) - 1)


def _bind(header: Header, options: ReadOptions) -> Parse:
    job, tres = header.need("JobIDRaw", "JobID"), header.need("AllocTRES", "ReqTRES")
    submit, start, end = header.need("Submit"), header.need("Start"), header.need("End")
    account, limit, name = header.find("Account", "User"), header.find("TimelimitRaw"), header.find("JobName")
    clock = Clock()

    def parse(fields: list[str]) -> Draft:
        if "." in fields[job]:
            raise RowFault("JobID", fields[job], "is a step of a job that has a line of its own")
        if fields[start].lower() in _NEVER or fields[end].lower() in _NEVER:
            raise RowFault("Start", None, "or End is unknown: the job never ran, or runs still")
        begun_ms, ended_ms = clock.ms(fields[start], "Start"), clock.ms(fields[end], "End")
        if ended_ms < begun_ms:
            raise RowFault("End", fields[end], "is before Start")
        accelerators, types = _accelerators(fields[tres], options.gres)
        return Draft(
            submit_ms=clock.ms(fields[submit], "Submit"),
            duration_ms=ended_ms - begun_ms,
            accelerators=accelerators,
            id=known(fields[job], "JobID"),
            tenant=TENANT if account is None else intern(fields[account].strip() or TENANT),
            name=text_column(fields, name),
            types=types,
            walltime_ms=None if limit is None else _walltime_ms(fields[limit]),
        )

    return parse


def _accelerators(text: str, table: Mapping[str, str]) -> tuple[int, tuple[str, ...]]:
    """How many of which type. ``gres/gpu:a100=8,gres/gpu=8`` says the same accelerators twice."""
    typed = {f"{name}:{kind}": count(number, "AllocTRES") for name, kind, number in _TYPED.findall(text)}
    plain = {name: count(number, "AllocTRES") for name, number in _PLAIN.findall(text)}
    found = typed or plain
    found = {name: number for name, number in found.items() if number}
    if len(found) > 1:
        raise RowFault("AllocTRES", text, "has accelerators of several kinds")
    if not found:
        return 0, ()
    name, number = next(iter(found.items()))
    if not table:
        return number, ()
    wanted = table.get(name) or table.get(name.partition(":")[0])
    if wanted is None:
        raise RowFault("AllocTRES", name, "is not in the table of site names")
    return number, (wanted,)


def _walltime_ms(text: str) -> int | None:
    return span_ms(text, "TimelimitRaw", MINUTE_MS) or None if text.strip().isdecimal() else None


FORMAT = Format(
    summary="Slurm's `sacct --allocations --parsable2`: JobIDRaw, Account, Submit, Start, End, AllocTRES, JobName",
    bind=_bind,
    split=_split,
)
