"""Mend seats: reservations whose nodes are lost get others, as long as there are some."""

from __future__ import annotations

import logging

from petahour.control.context import Context
from petahour.control.reservation_floor import put_reservation, reseated
from petahour.model.promises import Reservation
from petahour.model.resources import NodeState

log = logging.getLogger("petahour.control")


def mend_seats(context: Context) -> bool:
    """True when anything was stored. Looked at again only when the fleet, or what is promised, is another."""
    live = context.live
    seen = live.mended
    if not live.reservations or (seen is not None and seen[0] is live.nodes and seen[1] is live.reservations):
        return False
    now_ms = context.clock.now_ms()
    wrote = short = False
    for known in sorted(live.reservations.values(), key=lambda one: (one.from_ms, one.id)):
        if not known.kept(now_ms) or not _lost(context, known):
            continue
        with context.store.write() as tx:
            now_ms = context.clock.now_ms()
            stored = tx.promises.reservation(known.id)
            moved = None if stored is None else reseated(context, tx, stored, now_ms)
            if moved is None:
                short = True
                if known.id not in live.unseated:
                    log.warning("%s of %s has lost seats, and there are no others", known.id, known.tenant)
                live.unseated.add(known.id)
            elif moved != stored:
                put_reservation(tx, moved, now_ms, f"its seats on {', '.join(_lost(context, known))} are lost")
                live.unseated.discard(known.id)
                wrote = True
    # Where there were none, ends of what runs make room: it is looked at again with the next step.
    live.mended = None if short or wrote else (live.nodes, live.reservations)
    return wrote


def _lost(context: Context, known: Reservation) -> list[str]:
    nodes = context.live.nodes
    return sorted(
        slot.node for slot in known.seats if slot.node in nodes and nodes[slot.node].state is NodeState.DOWN
    )
