"""Conservation of a replay: the check of a live control plane, on the events that the replay would have left."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from petahour.billing.conservation import conserve
from petahour.model.events import Event, EventKind
from petahour.model.resources import NodeState
from petahour.simulator.faults import WHOLE
from petahour.simulator.money.bill import Bill, usage_of
from petahour.simulator.money.prices import Prices
from petahour.simulator.result import NEVER, Result


def bill_faults(
    result: Result, bill: Bill, prices: Prices, *, restart_ms: int, preemptible: bool = False
) -> tuple[str, ...]:
    """What is wrong: per hour and type billed + waived + idle + down = capacity, and the lines sum to the records.

    Each term is found by itself, see ``billing.conservation``. A failed accelerator counts as idle there, since the
    floor knows nodes that are up or down alone.
    """
    usage = [record for _, record in usage_of(result, prices, restart_ms=restart_ms, preemptible=preemptible)]
    last_ms = prices.begins_ms + int(result.runs.end_ms.max(initial=0)) + 1
    found = conserve(events=_events(result, prices.begins_ms), usage=usage, from_ms=prices.begins_ms, to_ms=last_ms)
    faults = list(found.faults)
    billed, waived = sum(record.billed_ams for record in usage), sum(record.waived_ams for record in usage)
    if (billed, waived) != (bill.billed_ams, bill.waived_ams):
        faults.append(f"the bill has {bill.billed_ams} + {bill.waived_ams}, the records {billed} + {waived}")
    total = found.total()
    if (billed, waived) != (total.billed_ams, total.waived_ams):
        faults.append(f"the hours have {total.billed_ams} + {total.waived_ams}, the records {billed} + {waived}")
    return tuple(faults)


def _events(result: Result, begins_ms: int) -> Iterator[Event]:
    """Nodes registered, taken out and back, runs placed and ended."""
    for node in result.nodes:
        data = {"type": node.type, "rehearsal": False, "accelerators": node.accelerators}
        yield Event(kind=EventKind.NODE_REGISTERED, at_ms=begins_ms, node=node.name, data=data)
    yield from _node_states(result, begins_ms)
    indexes = _indexes(result)
    runs, placed = result.runs, result.placements
    edges = np.append(runs.first_placement, len(placed.run)).tolist()
    for number in range(len(runs.job)):
        slots = [
            {"node": result.nodes[placed.node[place]].name, "indexes": indexes[place]}
            for place in range(edges[number], edges[number + 1])
        ]
        data = {"type": result.types[runs.type[number]], "rehearsal": False, "slots": slots}
        name = f"run-{number}"
        start_ms, end_ms = begins_ms + int(runs.start_ms[number]), begins_ms + int(runs.end_ms[number])
        yield Event(kind=EventKind.JOB_PLACED, at_ms=start_ms, seq=2, allocation=name, data=data)
        yield Event(kind=EventKind.JOB_ENDED, at_ms=end_ms, seq=3, allocation=name)


def _node_states(result: Result, begins_ms: int) -> Iterator[Event]:
    """A node is up while no outage of it lasts."""
    steps: dict[int, list[tuple[int, int]]] = {}
    for outage in result.outages:
        if outage.accelerator == WHOLE:
            of_node = steps.setdefault(outage.node, [])
            of_node.append((outage.from_ms, 1))
            if outage.until_ms != NEVER:
                of_node.append((outage.until_ms, -1))
    for node, of_node in steps.items():
        level = 0
        for at_ms, change in sorted(of_node):
            level += change
            after = NodeState.DOWN if level else NodeState.UP
            yield Event(
                kind=EventKind.NODE_STATE,
                at_ms=begins_ms + at_ms,
                seq=1,
                node=result.nodes[node].name,
                data={"after": after.value},
            )


def _indexes(result: Result) -> list[list[int]]:
    """Which accelerators each placement may have had: the lowest free ones of its node, in order of starts.

    Where too few are free it is told as if some were held twice, which the check then finds.
    """
    runs, placed = result.runs, result.placements
    start_ms, end_ms = runs.start_ms[placed.run], runs.end_ms[placed.run]
    free_ms = [[-1] * node.accelerators for node in result.nodes]
    indexes: list[list[int]] = [[] for _ in range(len(placed.run))]
    for place in np.lexsort((end_ms, start_ms)).tolist():
        until = free_ms[placed.node[place]]
        start, end = int(start_ms[place]), int(end_ms[place])
        order = sorted(range(len(until)), key=lambda index: (until[index] > start, index))
        taken = sorted(order[: int(placed.accelerators[place])])
        for index in taken:
            until[index] = end
        indexes[place] = taken
    return indexes
