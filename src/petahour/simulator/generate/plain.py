"""A plain floor: one type of accelerator, for benchmarks that need size and not variety."""

from __future__ import annotations

import numpy as np

from petahour.model.resources import MAX_ACCELERATORS_PER_NODE, MAX_GANG_NODES, Node
from petahour.simulator.fleet import ENGINE
from petahour.simulator.generate.arrivals import arrivals
from petahour.simulator.generate.draw import Source
from petahour.simulator.generate.fleet import SWITCH_NODES
from petahour.simulator.generate.options import MAX_JOBS, MAX_LOAD, check_amount, check_whole
from petahour.simulator.generate.profile import read_profile
from petahour.simulator.generate.rows import Choice, jobs_by_submit
from petahour.simulator.generate.run_times import whole_seconds
from petahour.simulator.generate.seats import LARGEST_GANG, unbounded_seats
from petahour.simulator.generate.tasks import tasks_of
from petahour.simulator.generate.trace import DAY_S, natural_run_times, walltimes
from petahour.simulator.trace import Trace

PLAIN_TYPE = "gpu"
# Without the services that run for weeks, of which a few would decide a small benchmark's outcome.
LONGEST_S = 3 * DAY_S


def plain(jobs: int, nodes: int, accelerators_per_node: int, seed: int, load: float, *, tenants: int = 40) -> Trace:
    """A synthetic trace with its fleet: gangs, run times, names and rhythm of the mixed profile on equal nodes.

    Any type will do for every job, and every job is on-demand. The trace is as long as it takes for the work to be
    ``load`` x what the nodes offer meanwhile; run times are at most three days. A million jobs take seconds. Raises
    ValidationError.
    """
    check_whole("jobs", jobs, 1, MAX_JOBS)
    check_whole("nodes", nodes, 1, MAX_GANG_NODES)
    check_whole("accelerators_per_node", accelerators_per_node, 1, MAX_ACCELERATORS_PER_NODE)
    check_whole("seed", seed, 0, 2**63 - 1)
    check_amount("load", load, MAX_LOAD)
    check_whole("tenants", tenants, 1, jobs)
    profile = read_profile("mixed")
    source = Source(seed)
    fleet = plain_nodes(nodes, accelerators_per_node)
    seats = unbounded_seats(profile, max(1, int(nodes * accelerators_per_node * LARGEST_GANG)))
    tasks = tasks_of(profile, source, jobs=jobs, tenants=tenants, seats=seats)
    task = np.repeat(np.arange(len(tasks.jobs)), tasks.jobs)
    duration_s = whole_seconds(natural_run_times(profile, source, tasks, task), LONGEST_S)
    work = int((duration_s * tasks.gang[task]).sum())
    horizon_s = max(1, round(work / (load * nodes * accelerators_per_node)))
    rows = jobs_by_submit(
        tasks,
        [Choice()] * len(tasks.jobs),
        task=task,
        submit_s=arrivals(profile.rhythm, source, task, horizon_s),
        duration_s=duration_s,
        walltime_s=walltimes(profile, tasks.over[task], tasks.median_s[task], duration_s),
    )
    return Trace(name=f"synthetic-plain-{seed}", jobs=rows, nodes=fleet)


def plain_nodes(nodes: int, accelerators_per_node: int) -> tuple[Node, ...]:
    """Equal nodes in one pool, sixteen to a switch."""
    digits = len(str(nodes - 1))
    return tuple(
        Node(
            name=f"node-{number:0{digits}}",
            pool=PLAIN_TYPE,
            engine=ENGINE,
            type=PLAIN_TYPE,
            accelerators=accelerators_per_node,
            switch=f"switch-{number // SWITCH_NODES:0{digits}}",
        )
        for number in range(nodes)
    )
