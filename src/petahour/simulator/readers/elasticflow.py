"""elasticflow: jobs with deadlines (github.com/pkusys/ElasticFlow, traces_for_ElasticFlow)."""

from __future__ import annotations

from petahour.simulator.readers.columns import known, text_column
from petahour.simulator.readers.header import Header
from petahour.simulator.readers.rows import Draft, Format, Parse, ReadOptions
from petahour.simulator.readers.values import count, span_ms


def _bind(header: Header, _options: ReadOptions) -> Parse:
    job_id, gpus, submit = header.need("job_id"), header.need("num_gpu"), header.need("submit_time")
    # The files cut from a cluster's log carry what was logged beside what the authors replay.
    duration = header.need("real_duration", "duration")
    name = header.find("model_name")

    def parse(fields: list[str]) -> Draft:
        return Draft(
            submit_ms=span_ms(fields[submit], "submit_time"),
            duration_ms=span_ms(fields[duration], "duration"),
            accelerators=count(fields[gpus], "num_gpu"),
            id=known(fields[job_id], "job_id"),
            name=text_column(fields, name),
        )

    return parse


FORMAT = Format(
    summary="ElasticFlow's CSV: job_id, submit_time (s), num_gpu, duration or real_duration (s), model_name, ...",
    bind=_bind,
)
