"""Keep windows: the control step empties nodes before their maintenance, drains them for it, and gives them back.

Every pass over a window looks at what is stored and does what is missing, so that a crash between any two statements
leaves nothing undone.
"""

from __future__ import annotations

from dataclasses import replace

from petahour.control.cancel import ask_to_stop
from petahour.control.context import Context
from petahour.control.fleet import change_state
from petahour.control.maintenance import give_back, put_window
from petahour.control.windows import STOPPING_MS, reason_of, running_on, stop_ms, stops
from petahour.model.allocations import AllocationState, StopCause
from petahour.model.promises import Maintenance, WindowState
from petahour.model.resources import NodeState
from petahour.model.time import to_iso


def keep_windows(context: Context) -> bool:
    """True when anything was stored. Without windows it costs nothing."""
    live = context.live
    if not live.windows:
        return False
    now_ms = context.clock.now_ms()
    wrote = False
    for window in sorted(live.windows.values(), key=lambda one: (one.from_ms, one.id)):
        if _due(context, window, now_ms):
            wrote = _keep(context, window, now_ms) or wrote
    return wrote


def _due(context: Context, window: Maintenance, now_ms: int) -> bool:
    """Whether there is something to do, by what is in memory."""
    live = context.live
    if now_ms >= (window.to_ms if window.state is WindowState.OPEN else window.from_ms):
        return True
    if window.state is WindowState.OPEN and any(
        name in live.nodes and live.nodes[name].state is NodeState.UP for name in window.nodes
    ):
        return True
    if now_ms < window.from_ms - context.settings.grace_ms - STOPPING_MS:
        return False
    nodes = set(window.nodes)
    for allocation in live.allocations.values():
        job = live.active.get(allocation.job)
        if (
            job is not None
            and allocation.state is not AllocationState.STOPPING
            and stops(window, job)
            and now_ms >= stop_ms(window, allocation, job)
            and any(slot.node in nodes for slot in allocation.slots)
        ):
            return True
    return False


def _keep(context: Context, window: Maintenance, now_ms: int) -> bool:
    with context.store.write() as tx:
        stored = tx.promises.window(window.id)
        if stored is None or stored.state.over:
            return False
        if now_ms >= stored.to_ms:
            put_window(tx, replace(stored, state=WindowState.CLOSED), now_ms, "over")
            give_back(tx, stored, now_ms)
            return True
        wrote = False
        if stored.state is WindowState.PLANNED and now_ms >= stored.from_ms:
            stored = replace(stored, state=WindowState.OPEN)
            put_window(tx, stored, now_ms, "begun")
            wrote = True
        if stored.state is WindowState.OPEN:
            for name in stored.nodes:
                node = tx.fleet.get(name)
                if node is not None and node.state is NodeState.UP:
                    cause = f"maintenance {stored.id} until {to_iso(stored.to_ms)}"
                    change_state(tx, node, NodeState.DRAINING, reason_of(stored), cause, now_ms)
                    wrote = True
        for allocation, job in running_on(tx, stored):
            if stops(stored, job) and now_ms >= stop_ms(stored, allocation, job):
                text = f"makes way for the maintenance {stored.id} of {len(stored.nodes)} nodes "
                text += f"from {to_iso(stored.from_ms)}"
                ask_to_stop(tx, job, allocation, cause=StopCause.MAINTENANCE, for_job="", at_ms=now_ms, text=text)
                wrote = True
        return wrote
