"""Rows: the reading and checking that all formats share. A line becomes a job, or an exclusion with a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from petahour.model.errors import ValidationError
from petahour.model.jobs import Tier
from petahour.model.resources import Node
from petahour.simulator.readers.header import Header, file_header
from petahour.simulator.readers.lines import comma_fields, lines, refuse_garbled
from petahour.simulator.readers.values import RowFault
from petahour.simulator.trace import Exclusion, Trace, TraceJob

TENANT = "vc"  # the one tenant of a trace that names none


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadOptions:
    """How to read a trace.

    ``strict``: the first line that is no job, or that is earlier than the one before it, is an error.
    ``single_vc``: all jobs belong to one tenant. ``throughputs``: gavel's JSON table of steps per second.
    ``nodes``: openb's list of hosts. ``gres``: the type of each of a Slurm site's names, such as ``gpu:a100``;
    empty leaves the type open.
    """

    strict: bool = False
    single_vc: bool = False
    throughputs: Path | None = None
    nodes: Path | None = None
    gres: Mapping[str, str] = field(default_factory=dict)


class Draft(NamedTuple):
    """A job as its line tells it; ``submit_ms`` counts from any origin.

    An empty ``id`` stands for the job's place in the file, and so does ``row`` None.
    """

    submit_ms: int
    duration_ms: int
    accelerators: int
    id: str = ""
    tenant: str = TENANT
    name: str = ""
    types: tuple[str, ...] = ()
    speeds: tuple[float, ...] = ()
    walltime_ms: int | None = None
    share_milli: int = 1000
    cpu_milli: int = 0
    memory_mib: int = 0
    tier: Tier = Tier.ON_DEMAND
    priority: int = 0
    row: int | None = None
    limit_micros: int | None = None


Parse = Callable[[list[str]], Draft]


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """How one kind of file is read. ``bind`` is given the header (no names when ``width`` says how many columns a
    file without a header has) and returns what turns a line's fields into a draft.

    ``comment`` starts lines that are no data. ``keeps_origin``: submit times count from the trace's beginning
    already and stay as they are; elsewhere the earliest job is submitted at 0.
    """

    summary: str
    bind: Callable[[Header, ReadOptions], Parse]
    split: Callable[[str], list[str]] = comma_fields
    width: int = 0
    comment: str = ""
    keeps_origin: bool = False
    hosts: Callable[[ReadOptions], tuple[Sequence[Node], Sequence[Exclusion]]] | None = None


def read_rows(path: Path, form: Format, options: ReadOptions) -> Trace:
    """The trace in a file. Raises ValidationError when the file is no such trace, or, strictly read, at the first
    line that is no job."""
    numbered = lines(path)
    if form.comment:
        numbered = ((line, text) for line, text in numbered if not text.startswith(form.comment))
    header = Header(path, () if form.width else file_header(path, numbered, form.split))
    parse = form.bind(header, options)
    nodes, left_out = form.hosts(options) if form.hosts else ((), ())
    drafts = _Drafts(parse, {node.type for node in nodes}, strict=options.strict)
    table = Table(path=path, split=form.split, width=form.width or len(header.names), strict=options.strict)
    excluded = each_row(table, numbered, drafts.take)
    if not drafts.taken:
        first = f": line {excluded[0].line}: {excluded[0].reason}" if excluded else ""
        raise ValidationError(
            field=str(path),
            value=None,
            rule=f"holds no job{first}",
            remedy="Name a trace with at least one job, and the format it is in.",
        )
    return Trace(
        name=Path(path.name.removesuffix(".gz")).stem,
        jobs=_jobs(drafts.taken, form, options),
        excluded=(*left_out, *excluded),
        nodes=nodes,
    )


def out_of_order(trace: Trace) -> int:
    """How many jobs stand in the file behind one that was submitted later: what the sort by submit time moved."""
    latest_ms, moved = 0, 0
    for job in sorted(trace.jobs, key=lambda job: job.row):
        moved += job.submit_ms < latest_ms
        latest_ms = max(latest_ms, job.submit_ms)
    return moved


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A file of rows below its header: how its lines split, into how many fields, and whether a fault is an error."""

    path: Path
    split: Callable[[str], list[str]]
    width: int
    strict: bool


def each_row(table: Table, numbered: Iterator[tuple[int, str]], take: Callable[[list[str]], None]) -> list[Exclusion]:
    """Hand every line's fields to ``take``; what it or the line's shape faults is returned, or raised when strict."""
    excluded: list[Exclusion] = []
    split, width = table.split, table.width
    for line, text in numbered:
        try:
            refuse_garbled(text)
            fields = split(text)
            if len(fields) != width:
                raise RowFault("line", None, f"has {len(fields)} columns where {width} belong")
            take(fields)
        except RowFault as fault:
            if table.strict:
                raise ValidationError(
                    field=f"{table.path}, line {line}, {fault.field}",
                    value=fault.value,
                    rule=fault.rule,
                    remedy="Correct the line, or read without strictness: it is then left out, counted and reported.",
                ) from None
            excluded.append(Exclusion(line=line, reason=str(fault)))
    return excluded


class _Drafts:
    """The jobs taken so far, and what a next one may not repeat."""

    def __init__(self, parse: Parse, fleet: set[str], *, strict: bool) -> None:
        self.taken: list[Draft] = []
        self._parse, self._fleet, self._strict = parse, fleet, strict
        self._seen: set[str] = set()
        self._latest_ms: int | None = None

    def take(self, fields: list[str]) -> None:
        """Raises RowFault."""
        draft = self._parse(fields)
        if not draft.accelerators:
            raise RowFault("accelerators", None, "are none: the job runs on the host's cores alone")
        if draft.id and draft.id in self._seen:
            raise RowFault("id", draft.id, "names a job of an earlier line")
        if draft.types and self._fleet and self._fleet.isdisjoint(draft.types):
            raise RowFault("types", "|".join(draft.types), "are on none of the nodes")
        if self._strict and self._latest_ms is not None and draft.submit_ms < self._latest_ms:
            raise RowFault("submit time", None, "is earlier than the line before it")
        self._seen.add(draft.id)
        self._latest_ms = draft.submit_ms
        self.taken.append(draft)


def _jobs(drafts: list[Draft], form: Format, options: ReadOptions) -> list[TraceJob]:
    origin_ms = 0 if form.keeps_origin else min(draft.submit_ms for draft in drafts)
    single = options.single_vc
    jobs = [
        TraceJob(
            row=row if draft.row is None else draft.row,
            id=draft.id or str(row),
            tenant=TENANT if single else draft.tenant,
            submit_ms=draft.submit_ms - origin_ms,
            duration_ms=draft.duration_ms,
            accelerators=draft.accelerators,
            name=draft.name,
            types=draft.types,
            speeds=draft.speeds,
            tier=draft.tier,
            priority=draft.priority,
            walltime_ms=draft.walltime_ms,
            limit_micros=draft.limit_micros,
            share_milli=draft.share_milli,
            cpu_milli=draft.cpu_milli,
            memory_mib=draft.memory_mib,
        )
        for row, draft in enumerate(drafts)
    ]
    # A stable sort: jobs of one instant keep the file's order.
    jobs.sort(key=lambda job: job.submit_ms)
    return jobs
