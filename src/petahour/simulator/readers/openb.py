"""openb: Alibaba's cluster-trace-gpu-v2023, pods and hosts (github.com/alibaba/clusterdata)."""

from __future__ import annotations

from collections.abc import Sequence
from sys import intern

from petahour.model.errors import ValidationError
from petahour.model.resources import MAX_ACCELERATORS_PER_NODE, Node
from petahour.simulator.fleet import ENGINE
from petahour.simulator.readers.columns import known, text_column
from petahour.simulator.readers.header import Header, file_header
from petahour.simulator.readers.lines import comma_fields, lines
from petahour.simulator.readers.rows import (
    Draft,
    Format,
    Parse,
    ReadOptions,
    Table,
    each_row,
)
from petahour.simulator.readers.values import RowFault, count, span_ms
from petahour.simulator.trace import Exclusion

WHOLE_MILLI = 1000
MOST = 10**9  # thousandths of a core, MiB


def _bind(header: Header, _options: ReadOptions) -> Parse:
    name, gpus, share = header.need("name"), header.need("num_gpu"), header.need("gpu_milli")
    cpu, memory = header.need("cpu_milli"), header.need("memory_mib")
    spec, qos = header.find("gpu_spec"), header.find("qos")
    created, deleted = header.find("creation_time"), header.find("deletion_time")
    scheduled = header.find("scheduled_time")

    def parse(fields: list[str]) -> Draft:
        submit_ms = 0 if created is None else span_ms(fields[created], "creation_time")
        begin_ms = submit_ms
        if scheduled is not None and fields[scheduled].strip():
            begin_ms = span_ms(fields[scheduled], "scheduled_time")
        # Without times a pod has no length: such files serve experiments with packing alone.
        end_ms = begin_ms if deleted is None else span_ms(fields[deleted], "deletion_time")
        if end_ms < begin_ms:
            raise RowFault("deletion_time", fields[deleted or 0], "is earlier than the pod's start")
        accelerators = count(fields[gpus], "num_gpu", most=MAX_ACCELERATORS_PER_NODE)
        share_milli = count(fields[share], "gpu_milli", most=WHOLE_MILLI)
        if accelerators and not share_milli:
            raise RowFault("gpu_milli", fields[share], "is none of the accelerators that the pod asks for")
        return Draft(
            submit_ms=submit_ms,
            duration_ms=end_ms - begin_ms,
            accelerators=accelerators,
            id=known(fields[name], "name"),
            name=text_column(fields, qos),
            types=() if spec is None else _types(fields[spec]),
            share_milli=share_milli,
            cpu_milli=count(fields[cpu], "cpu_milli", most=MOST),
            memory_mib=count(fields[memory], "memory_mib", most=MOST),
        )

    return parse


def _types(spec: str) -> tuple[str, ...]:
    """``A|B|B`` as (A, B)."""
    return tuple(dict.fromkeys(intern(item) for item in spec.strip().split("|") if item))


def _hosts(options: ReadOptions) -> tuple[Sequence[Node], Sequence[Exclusion]]:
    """The hosts with accelerators, and those without as exclusions that name their file."""
    path = options.nodes
    if path is None:
        return (), ()
    numbered = lines(path)
    header = Header(path, file_header(path, numbered, comma_fields))
    name, gpus, model = header.need("sn"), header.need("gpu"), header.need("model")
    nodes: dict[str, Node] = {}

    def take(fields: list[str]) -> None:
        host = known(fields[name], "sn")
        if host in nodes:
            raise RowFault("sn", host, "names a host of an earlier line")
        accelerators = count(fields[gpus], "gpu", most=MAX_ACCELERATORS_PER_NODE)
        if not accelerators:
            raise RowFault("gpu", None, "is 0: the host has no accelerators")
        kind = intern(known(fields[model], "model"))
        nodes[host] = Node(name=host, pool=kind, engine=ENGINE, type=kind, accelerators=accelerators)

    table = Table(path=path, split=comma_fields, width=len(header.names), strict=options.strict)
    excluded = each_row(table, numbered, take)
    if not nodes:
        raise ValidationError(
            field=str(path),
            value=None,
            rule="holds no host with accelerators",
            remedy="Name the list of hosts that belongs to the trace.",
        )
    return tuple(nodes.values()), [
        Exclusion(line=item.line, reason=f"{path.name}: {item.reason}") for item in excluded
    ]


FORMAT = Format(
    summary="Alibaba's cluster-trace-gpu-v2023 pods: num_gpu, gpu_milli, gpu_spec, times (s); its hosts with `nodes`",
    bind=_bind,
    hosts=_hosts,
)
