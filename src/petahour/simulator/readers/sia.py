"""sia: the workloads of Pollux and Sia (github.com/siasosp23/artifacts, sia-simulator/workloads).

They say when a job comes, what it trains and on how many accelerators, but not how long: how long is what their
schedulers decide. Here a job's length is a model: what its application took in accelerator-hours on average,
divided by the accelerators that it asks for.
"""

from __future__ import annotations

from petahour.model.time import HOUR_MS
from petahour.simulator.readers.columns import known, text_column
from petahour.simulator.readers.header import Header
from petahour.simulator.readers.rows import Draft, Format, Parse, ReadOptions
from petahour.simulator.readers.values import RowFault, count, span_ms

# Accelerator-hours per job, all types together, as Sia's artifact prints them for the ten `saturn` workloads (1,600
# jobs on a mixed cluster; sia-simulator/README.md, "GPU hours ... per-job"; Jayaram Subramanya et al., SOSP 2023).
# `ncf` is Pollux's alone, and small: the figure is the geometric mean of the class it stands for, 1/60 to 1 hours
# (simulator/workload.py of the artifact of Qiao et al., OSDI 2021).
ACCELERATOR_HOURS = {
    "ncf": 0.13,
    "cifar10": 2.03,
    "bert": 2.42,
    "deepspeech2": 8.05,
    "yolov3": 18.7,
    "imagenet": 310.0,
}


def _bind(header: Header, _options: ReadOptions) -> Parse:
    name, submit = header.need("name"), header.need("time")
    application, replicas = header.need("application"), header.need("num_replicas")

    def parse(fields: list[str]) -> Draft:
        kind = text_column(fields, application)
        if kind not in ACCELERATOR_HOURS:
            raise RowFault("application", kind, f"is none of {', '.join(ACCELERATOR_HOURS)}")
        accelerators = count(fields[replicas], "num_replicas")
        return Draft(
            submit_ms=span_ms(fields[submit], "time"),
            duration_ms=round(ACCELERATOR_HOURS[kind] * HOUR_MS / max(1, accelerators)),
            accelerators=accelerators,
            id=known(fields[name], "name"),
            name=kind,
        )

    return parse


FORMAT = Format(
    summary="Pollux's and Sia's workloads: name, time (s), application, num_replicas; lengths are a model", bind=_bind
)
