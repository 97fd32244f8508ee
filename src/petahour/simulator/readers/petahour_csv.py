"""petahour: our own CSV file, which keeps every field of a job; written by recordings and by the generator."""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from sys import intern

from petahour.model.errors import ValidationError
from petahour.model.jobs import MAX_PRIORITY, Tier
from petahour.model.money import MAX_MICROS
from petahour.simulator.readers.columns import known
from petahour.simulator.readers.header import Header
from petahour.simulator.readers.rows import TENANT, Draft, Format, Parse, ReadOptions
from petahour.simulator.readers.values import MAX_ACCELERATORS, MAX_MS, RowFault, count, number, span_ms
from petahour.simulator.trace import Trace, TraceJob

COLUMNS = (
    "row",
    "id",
    "tenant",
    "name",
    "submit_ms",
    "duration_ms",
    "accelerators",
    "types",
    "speeds",
    "tier",
    "priority",
    "walltime_ms",
    "share_milli",
    "cpu_milli",
    "memory_mib",
)
LIMIT = "limit_micros"  # a column that is written where any job has a limit
MOST = 10**15
MAX_TEXT = 10_000  # characters of an id, a name or a list of types

# A line of the file is a job, so a text may hold no line end; and `|` separates types.
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "|": "\\p"})
_PLAIN = {"\\": "\\", "n": "\n", "r": "\r", "p": "|"}
_TIERS = {str(tier): tier for tier in Tier}


def _bind(header: Header, _options: ReadOptions) -> Parse:
    submit, duration = header.need("submit_ms"), header.need("duration_ms")
    accelerators = header.need("accelerators")
    # A column that the file lacks reads as the blank that `parse` puts behind every line's fields.
    found = {name: header.find(name) for name in (*COLUMNS, LIMIT)}
    at = {name: -1 if place is None else place for name, place in found.items()}
    row_at, id_at, tenant_at, name_at = at["row"], at["id"], at["tenant"], at["name"]
    types_at, speeds_at, tier_at, priority_at = at["types"], at["speeds"], at["tier"], at["priority"]
    walltime_at, share_at, cpu_at, memory_at = at["walltime_ms"], at["share_milli"], at["cpu_milli"], at["memory_mib"]
    limit_at = at[LIMIT]
    rows: set[int] = set()

    def parse(fields: list[str]) -> Draft:
        fields.append("")
        row = None if row_at < 0 else count(known(fields[row_at], "row"), "row", most=MOST)
        if row in rows:
            raise RowFault("row", row, "is the place of an earlier line")
        if id_at >= 0 and not fields[id_at]:
            raise RowFault("id", None, "is blank")
        types = _types(text) if (text := fields[types_at]) else ()
        draft = Draft(
            submit_ms=span_ms(fields[submit], "submit_ms", unit_ms=1),
            duration_ms=span_ms(fields[duration], "duration_ms", unit_ms=1),
            accelerators=count(fields[accelerators], "accelerators"),
            id=_unescaped(fields[id_at], "id"),
            tenant=intern(_unescaped(fields[tenant_at], "tenant")) or TENANT,
            name=intern(_unescaped(fields[name_at], "name")),
            types=types,
            speeds=_speeds(text, len(types)) if (text := fields[speeds_at]) else (),
            walltime_ms=span_ms(text, "walltime_ms", unit_ms=1) if (text := fields[walltime_at]) else None,
            share_milli=count(text, "share_milli", most=1000) if (text := fields[share_at]) else 1000,
            cpu_milli=count(text, "cpu_milli", most=MOST) if (text := fields[cpu_at]) else 0,
            memory_mib=count(text, "memory_mib", most=MOST) if (text := fields[memory_at]) else 0,
            tier=_tier(text) if (text := fields[tier_at]) else Tier.ON_DEMAND,
            priority=_priority(text) if (text := fields[priority_at]) else 0,
            row=row,
            limit_micros=count(text, LIMIT, most=MAX_MICROS) if (text := fields[limit_at]) else None,
        )
        if draft.limit_micros is not None and draft.tier is not Tier.SPOT:
            raise RowFault(LIMIT, draft.limit_micros, "is of spot alone")
        if row is not None:
            rows.add(row)
        return draft

    return parse


def write_trace(trace: Trace, path: Path) -> None:
    """Write the jobs so that ``read_trace`` gives the same jobs back; gzipped when the name ends in ``.gz``.

    Exclusions, nodes and the trace's name are not written. The file appears whole or not at all.
    Raises ValidationError for a job that could not be read back, and when the file cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            with beside.open("wb") as plain:
                # Without the time of writing in it, one trace is always the same file.
                packed = (
                    gzip.GzipFile(filename="", fileobj=plain, mode="wb", mtime=0) if path.suffix == ".gz" else None
                )
                with io.TextIOWrapper(packed or plain, encoding="utf-8", newline="") as text:
                    writer = csv.writer(text, lineterminator="\n")
                    limited = any(job.limit_micros is not None for job in trace.jobs)
                    writer.writerow((*COLUMNS, LIMIT) if limited else COLUMNS)
                    writer.writerows(_written(trace, limited=limited))
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise ValidationError(
            field=str(path),
            value=None,
            rule=f"cannot be written: {error.strerror or error}",
            remedy="Name a file in a directory that exists and where you may write.",
        ) from None


def _written(trace: Trace, *, limited: bool) -> Iterator[tuple[object, ...]]:
    ids: set[str] = set()
    rows: set[int] = set()
    for job in trace.jobs:
        _refuse(job, ids, rows)
        ids.add(job.id)
        rows.add(job.row)
        yield (
            job.row,
            job.id.translate(_ESCAPES),
            job.tenant.translate(_ESCAPES),
            job.name.translate(_ESCAPES),
            job.submit_ms,
            job.duration_ms,
            job.accelerators,
            "|".join(name.translate(_ESCAPES) for name in job.types),
            "|".join(map(repr, job.speeds)),
            str(job.tier),
            job.priority,
            "" if job.walltime_ms is None else job.walltime_ms,
            job.share_milli,
            job.cpu_milli,
            job.memory_mib,
            *(("" if job.limit_micros is None else job.limit_micros,) if limited else ()),
        )


def _refuse(job: TraceJob, ids: set[str], rows: set[int]) -> None:
    """Raises ValidationError for a job that a reader would refuse or read otherwise."""
    numbers = (
        (job.row, 0, MOST, "row"),
        (job.submit_ms, 0, MAX_MS, "submit_ms"),
        (job.duration_ms, 0, MAX_MS, "duration_ms"),
        (job.accelerators, 1, MAX_ACCELERATORS, "accelerators"),
        (job.walltime_ms or 0, 0, MAX_MS, "walltime_ms"),
        (job.share_milli, 0, 1000, "share_milli"),
        (job.cpu_milli, 0, MOST, "cpu_milli"),
        (job.memory_mib, 0, MOST, "memory_mib"),
        (job.limit_micros or 0, 0, MAX_MICROS, LIMIT),
        (job.priority, -MAX_PRIORITY, MAX_PRIORITY, "priority"),
    )
    for value, least, most, field in numbers:
        if not least <= value <= most:
            raise _unfit(job, field, value, f"is from {least} to {most}")
    if job.limit_micros is not None and job.tier is not Tier.SPOT:
        raise _unfit(job, LIMIT, job.limit_micros, "is of spot alone")
    for field, text in (("id", job.id), ("tenant", job.tenant), *(("types", name) for name in job.types)):
        if not text:
            raise _unfit(job, field, text, "is not blank")
    if len(set(job.types)) < len(job.types):
        raise _unfit(job, "types", job.types, "are each named once")
    for text in (job.id, job.tenant, job.name, "|".join(job.types)):
        if len(text) > MAX_TEXT or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise _unfit(job, "text", text, f"is UTF-8 text of at most {MAX_TEXT} characters")
    if job.speeds and (len(job.speeds) != len(job.types) or not all(isfinite(x) and x > 0 for x in job.speeds)):
        raise _unfit(job, "speeds", job.speeds, "are positive numbers, one for each type")
    if job.id in ids or job.row in rows:
        raise _unfit(job, "id" if job.id in ids else "row", job.id, "is one job's alone")


def _unfit(job: TraceJob, field: str, value: object, rule: str) -> ValidationError:
    return ValidationError(
        field=f"job {job.id!r}, {field}", value=value, rule=rule, remedy="Correct the job before writing the trace."
    )


def _unescaped(text: str, field: str) -> str:
    if "\\" not in text:
        return text
    parts, letters = [], iter(text)
    for letter in letters:
        plain = _PLAIN.get(next(letters, "")) if letter == "\\" else letter
        if plain is None:
            raise RowFault(field, text, r"has a backslash that begins none of \\, \n, \r and \p")
        parts.append(plain)
    return "".join(parts)


def _types(text: str) -> tuple[str, ...]:
    types = tuple(intern(_unescaped(item, "types")) for item in text.split("|"))
    if "" in types or len(set(types)) < len(types):
        raise RowFault("types", text, "are names apart by |, each once")
    return types


def _speeds(text: str, types: int) -> tuple[float, ...]:
    speeds = tuple(number(item, "speeds") for item in text.split("|"))
    if len(speeds) != types or min(speeds) <= 0:
        raise RowFault("speeds", text, "are positive numbers, one for each type")
    return speeds


def _tier(text: str) -> Tier:
    if text not in _TIERS:
        raise RowFault("tier", text, f"is one of {', '.join(_TIERS)}")
    return _TIERS[text]


def _priority(text: str) -> int:
    value = number(text, "priority")
    if value != int(value) or abs(value) > MAX_PRIORITY:
        raise RowFault("priority", text, f"is a whole number from -{MAX_PRIORITY} to {MAX_PRIORITY}")
    return int(value)


FORMAT = Format(
    summary="Petahour's own CSV, which keeps every field of a job; times in ms", bind=_bind, keeps_origin=True
)
