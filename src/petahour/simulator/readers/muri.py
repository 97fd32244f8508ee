"""muri: Philly virtual clusters, a model drawn for every job (github.com/Rivendile/Muri, simulator/trace-data)."""

from __future__ import annotations

from petahour.simulator.readers.columns import known, text_column
from petahour.simulator.readers.header import Header
from petahour.simulator.readers.rows import Draft, Format, Parse, ReadOptions
from petahour.simulator.readers.values import count, span_ms


def _bind(header: Header, _options: ReadOptions) -> Parse:
    job_id, gpus = header.need("job_id"), header.need("num_gpu")
    submit, duration = header.need("submit_time"), header.need("duration")
    name = header.find("model_name")

    def parse(fields: list[str]) -> Draft:
        return Draft(
            submit_ms=span_ms(fields[submit], "submit_time", unit_ms=1),
            duration_ms=span_ms(fields[duration], "duration", unit_ms=1),
            accelerators=count(fields[gpus], "num_gpu"),
            id=known(fields[job_id], "job_id"),
            name=text_column(fields, name),
        )

    return parse


FORMAT = Format(summary="Muri's CSV: job_id, num_gpu, submit_time (ms), duration (ms), model_name, ...", bind=_bind)
