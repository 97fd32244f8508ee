"""swf: the Standard Workload Format 2.2 of the Parallel Workloads Archive (cs.huji.ac.il/labs/parallel/workload)."""

from __future__ import annotations

from sys import intern

from petahour.simulator.readers.header import Header
from petahour.simulator.readers.lines import blank_fields
from petahour.simulator.readers.rows import TENANT, Draft, Format, Parse, ReadOptions
from petahour.simulator.readers.values import RowFault, count, number, span_ms

UNKNOWN = -1
PARTIAL = {2, 3, 4}  # one stretch of a job that was checkpointed or swapped out; the job has a line of its own


def _bind(_header: Header, _options: ReadOptions) -> Parse:
    def parse(fields: list[str]) -> Draft:
        (job, submit, _, run, allocated, _, _, requested, asked_time, _, status, user, group, program, *_) = fields
        if number(status, "status") in PARTIAL:
            raise RowFault("status", status, "marks a part of a job whose whole has a line of its own")
        if number(run, "run time") == UNKNOWN:
            raise RowFault("run time", None, "is unknown")
        processors = requested if number(requested, "requested processors") > 0 else allocated
        if number(processors, "allocated processors") == UNKNOWN:
            raise RowFault("requested processors", None, "are unknown, and so are the allocated ones")
        return Draft(
            submit_ms=span_ms(submit, "submit time"),
            duration_ms=span_ms(run, "run time"),
            accelerators=count(processors, "requested processors"),
            id=str(count(job, "job number", most=10**15)),
            tenant=_label("group", group) or _label("user", user) or TENANT,
            name=_label("program", program),
            walltime_ms=_walltime_ms(asked_time),
        )

    return parse


def _walltime_ms(text: str) -> int | None:
    return None if number(text, "requested time") == UNKNOWN else span_ms(text, "requested time") or None


def _label(kind: str, text: str) -> str:
    place = number(text, kind)
    return "" if place == UNKNOWN else intern(f"{kind}-{place:.0f}")


FORMAT = Format(
    summary="Standard Workload Format: 18 columns of numbers, comments after `;`, processors as accelerators",
    bind=_bind,
    split=blank_fields,
    width=18,
    comment=";",
)
