"""philly: one row per job of Microsoft's Philly clusters, and any log brought into the same five columns."""

from __future__ import annotations

from sys import intern

from petahour.simulator.readers.columns import known, text_column
from petahour.simulator.readers.header import Header
from petahour.simulator.readers.rows import TENANT, Draft, Format, Parse, ReadOptions
from petahour.simulator.readers.values import Clock, count, span_ms


def _bind(header: Header, options: ReadOptions) -> Parse:
    submit, duration, gpus = header.need("timestamp"), header.need("duration"), header.need("num_gpus")
    tenant = None if options.single_vc else header.need("cluster", "vc")
    job_id = header.find("job_id", "jobid")
    name = header.find("name", "jobname", "job_name", "user")
    clock = Clock()

    def parse(fields: list[str]) -> Draft:
        return Draft(
            submit_ms=clock.ms(fields[submit], "timestamp"),
            duration_ms=span_ms(fields[duration], "duration"),
            accelerators=count(fields[gpus], "num_gpus"),
            id="" if job_id is None else known(fields[job_id], "job_id"),
            tenant=TENANT if tenant is None else intern(known(fields[tenant], "cluster")),
            name=text_column(fields, name),
        )

    return parse


FORMAT = Format(
    summary="CSV with timestamp, duration (s), num_gpus, gpu_time and cluster; arrivals of one second in file order",
    bind=_bind,
)
