"""helios: the job logs of SenseTime's Helios clusters (github.com/S-Lab-System-Group/HeliosData, cluster_log.csv)."""

from __future__ import annotations

from sys import intern

from petahour.simulator.readers.columns import known, text_column
from petahour.simulator.readers.header import Header
from petahour.simulator.readers.rows import TENANT, Draft, Format, Parse, ReadOptions
from petahour.simulator.readers.values import Clock, count, span_ms


def _bind(header: Header, options: ReadOptions) -> Parse:
    job_id, gpus = header.need("job_id"), header.need("gpu_num")
    submit, duration = header.need("submit_time"), header.need("duration")
    tenant = None if options.single_vc else header.need("vc")
    name = header.find("jobname", "job_name", "user")
    clock = Clock()

    def parse(fields: list[str]) -> Draft:
        return Draft(
            submit_ms=clock.ms(fields[submit], "submit_time"),
            duration_ms=span_ms(fields[duration], "duration"),
            accelerators=count(fields[gpus], "gpu_num"),
            id=known(fields[job_id], "job_id"),
            tenant=TENANT if tenant is None else intern(known(fields[tenant], "vc")),
            name=text_column(fields, name),
        )

    return parse


FORMAT = Format(
    summary="SenseTime's Helios cluster_log.csv: job_id, user, gpu_num, submit_time, duration (s), vc, ...",
    bind=_bind,
)
