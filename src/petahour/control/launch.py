"""From a stored allocation to what an engine needs to start it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from petahour.catalog.catalog import Catalog
from petahour.control.settings import Settings
from petahour.engines.protocol import LOCAL, Launch
from petahour.model.allocations import Allocation
from petahour.model.jobs import Job
from petahour.model.resources import CPU, Node, Slot, Switch
from petahour.vendors.launch import launch_environment
from petahour.vendors.power import HOST

METERING = "petahour.vendors.metering"


def launch_of(
    job: Job, allocation: Allocation, nodes: Mapping[str, Node], catalog: Catalog, settings: Settings
) -> Launch:
    """The same allocation always gives the same launch, so that a repeated start says nothing new."""
    spec = job.spec
    # A gang with nodes of its own holds more than its ranks run on.
    slots = tuple(replace(slot, indexes=slot.indexes[: spec.gang.accelerators_per_node]) for slot in allocation.slots)
    return Launch(
        allocation=allocation.id,
        job=job.id,
        tenant=job.tenant,
        project=job.project,
        attempt=allocation.attempt,
        command=spec.command,
        workdir=spec.workdir,
        environment=spec.environment,
        slot_environments=tuple(_visible_devices(catalog, allocation.type, nodes[slot.node], slot) for slot in slots),
        slots=slots,
        type=allocation.type,
        rehearsal=allocation.rehearsal,
        cpu_affinity=allocation.type == CPU and not allocation.rehearsal,
        walltime_ms=spec.walltime_ms,
        grace_ms=spec.grace_ms,
        stop_signal=spec.preemption_signal,
        checkpoint_dir=spec.checkpoint_dir,
        memory_bytes=spec.memory_bytes,
        log_limit_bytes=settings.log_bytes,
        exclusive=spec.gang.exclusive,
        one_switch=spec.gang.switch is Switch.REQUIRED,
        meter=_meter(job, allocation, nodes[slots[0].node], slots[0], catalog),
    )


def _meter(job: Job, allocation: Allocation, node: Node, slot: Slot, catalog: Catalog) -> tuple[str, ...]:
    """What meters the accelerators of the first node: only on nodes with devices, whose numbers this host knows."""
    if not job.spec.meter_power or allocation.rehearsal or allocation.engine != LOCAL:
        return ()
    slug = HOST if allocation.type == CPU else catalog.get(allocation.type).vendor
    return "-m", METERING, slug, ",".join(str(node.device(index)) for index in slot.indexes)


def _visible_devices(catalog: Catalog, type_name: str, node: Node, slot: Slot) -> tuple[tuple[str, str], ...]:
    devices = [node.device(index) for index in slot.indexes]
    return tuple(sorted(launch_environment(catalog, type_name, devices).items()))
