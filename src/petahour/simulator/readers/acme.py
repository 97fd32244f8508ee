"""acme: the job logs of Shanghai AI Lab's clusters Seren and Kalos (github.com/InternLM/AcmeTrace)."""

from __future__ import annotations

from sys import intern

from petahour.simulator.readers.columns import known, text_column
from petahour.simulator.readers.header import Header
from petahour.simulator.readers.rows import TENANT, Draft, Format, Parse, ReadOptions
from petahour.simulator.readers.values import Clock, RowFault, count, span_ms


def _bind(header: Header, options: ReadOptions) -> Parse:
    job_id, gpus, submit = header.need("job_id"), header.need("gpu_num"), header.need("submit_time")
    start, end = header.find("start_time"), header.find("end_time")
    duration = header.find("duration") if start is not None and end is not None else header.need("duration")
    tenant = None if options.single_vc else header.need("user")
    name = header.find("type")
    clock = Clock()

    def run_ms(fields: list[str]) -> int:
        # Kalos counts the wait into `duration`, Seren does not: the two instants mean the same in both.
        if start is not None and end is not None and fields[start].strip() and fields[end].strip():
            length = clock.ms(fields[end], "end_time") - clock.ms(fields[start], "start_time")
            if length < 0:
                raise RowFault("end_time", fields[end], "is earlier than start_time")
            return length
        if duration is None or not fields[duration].strip():
            raise RowFault("start_time", None, "is blank: the job never ran")
        return span_ms(fields[duration], "duration")

    def parse(fields: list[str]) -> Draft:
        return Draft(
            submit_ms=clock.ms(fields[submit], "submit_time"),
            duration_ms=run_ms(fields),
            accelerators=count(fields[gpus], "gpu_num"),
            id=known(fields[job_id], "job_id"),
            tenant=TENANT if tenant is None else intern(known(fields[tenant], "user")),
            name=text_column(fields, name),
        )

    return parse


FORMAT = Format(
    summary="Shanghai AI Lab's AcmeTrace: job_id, user, gpu_num, type, submit_time, start_time, end_time, ...",
    bind=_bind,
)
