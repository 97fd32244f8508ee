"""Maintenance: plan windows in which nodes are empty, look at them, and call them off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.fleet import change_state
from petahour.control.reservation_floor import put_reservation, reseated
from petahour.control.windows import came_from, reason_of, running_on, stops, surely_over_ms
from petahour.model.errors import ConflictError, NotFoundError, ValidationError
from petahour.model.events import Event, EventKind
from petahour.model.promises import Maintenance, ReservationState, WindowState, maintenance_data
from petahour.model.resources import NodeState
from petahour.model.tenants import Caller
from petahour.model.time import DAY_MS, to_iso
from petahour.store.protocol import Transaction

LONGEST_MS = 366 * DAY_MS
FARTHEST_MS = 366 * DAY_MS
MOST_REASON = 500
LISTED = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """A window, and the jobs on its nodes that it does not stop and that may run into it."""

    window: Maintenance
    runs_on: tuple[str, ...]


def plan_maintenance(
    context: Context,
    caller: Caller,
    nodes: Sequence[str],
    *,
    from_ms: int,
    to_ms: int,
    reason: str,
    empties: bool = False,
) -> Planned:
    """Keep these nodes (names, or patterns such as ``a100-*``) empty from ``from_ms`` to ``to_ms``.

    From now on nothing is placed there that would run into the window. Raises ValidationError or NotFoundError naming
    what is wrong.
    """
    authorize(caller, Action.CHANGE_FLEET)
    now_ms = context.clock.now_ms()
    _check_window(from_ms, to_ms, now_ms)
    if len(reason) > MOST_REASON:
        raise ValidationError(
            field="reason", value=len(reason), rule=f"at most {MOST_REASON} characters", remedy="Shorten it."
        )
    with context.store.write() as tx:
        window = Maintenance(
            id=context.ids.new("mnt"),
            nodes=_covered(tx, nodes),
            from_ms=from_ms,
            to_ms=to_ms,
            reason=reason,
            empties=empties,
            created_ms=now_ms,
            created_by=caller.user,
        )
        put_window(tx, window, now_ms, f"planned by {caller.user}")
        _move_seats(context, tx, window, now_ms)
        runs_on = tuple(
            job.id
            for allocation, job in running_on(tx, window)
            if not stops(window, job) and surely_over_ms(allocation, job) > from_ms
        )
    context.wake()
    return Planned(window=window, runs_on=runs_on)


def windows_for(context: Context, caller: Caller, *, over: bool = False) -> Sequence[Maintenance]:
    """Windows to come and open ones, the next first; or with ``over`` the latest of all."""
    authorize(caller, Action.READ_FLEET)
    with context.store.read() as tx:
        return tx.promises.windows(over=over, limit=LISTED)


def cancel_maintenance(context: Context, caller: Caller, window_id: str) -> Maintenance:
    """Call a window off; what it drained takes work again. Called off twice it is called off once."""
    authorize(caller, Action.CHANGE_FLEET)
    now_ms = context.clock.now_ms()
    with context.store.write() as tx:
        window = tx.promises.window(window_id)
        if window is None:
            raise NotFoundError(
                field="maintenance",
                value=window_id,
                rule="no such window",
                remedy='"petahour node windows" lists them.',
            )
        if window.state is WindowState.CLOSED:
            raise ConflictError(
                field="maintenance",
                value=window_id,
                rule=f"it ended at {to_iso(window.to_ms)}",
                remedy="There is nothing to call off.",
            )
        if window.state is not WindowState.CANCELLED:
            window = replace(window, state=WindowState.CANCELLED)
            put_window(tx, window, now_ms, f"called off by {caller.user}")
            give_back(tx, window, now_ms)
    context.wake()
    return window


def put_window(tx: Transaction, window: Maintenance, now_ms: int, cause: str) -> None:
    """Store a window as it is now, and record it with its cause."""
    tx.promises.put_window(window)
    data = maintenance_data(window)
    tx.events.append(Event(kind=EventKind.MAINTENANCE_SET, at_ms=now_ms, data={"window": data, "cause": cause}))


def give_back(tx: Transaction, window: Maintenance, now_ms: int) -> None:
    """The nodes that this window drained take work again, unless another one has begun there."""
    others = [one for one in tx.promises.windows() if one.state is WindowState.OPEN and one.id != window.id]
    for name in window.nodes:
        node = tx.fleet.get(name)
        if node is None or node.state is not NodeState.DRAINING or not came_from(node.reason, window):
            continue
        other = next((one for one in others if name in one.nodes), None)
        if other is None:
            change_state(tx, node, NodeState.UP, "", f"maintenance {window.id} is over", now_ms)
        else:
            cause = f"maintenance {other.id} until {to_iso(other.to_ms)}"
            change_state(tx, node, NodeState.DRAINING, reason_of(other), cause, now_ms)


def _move_seats(context: Context, tx: Transaction, window: Maintenance, now_ms: int) -> None:
    """Reservations that have not begun get seats elsewhere; one that cannot is promised already, and goes before."""
    nodes = set(window.nodes)
    for known in tx.promises.reservations(state=ReservationState.CONFIRMED):
        hit = sorted({slot.node for slot in known.seats} & nodes)
        if not hit or known.to_ms <= max(now_ms, window.from_ms) or window.to_ms <= known.from_ms:
            continue
        moved = reseated(context, tx, known, now_ms) if known.from_ms > now_ms else None
        if moved is None:
            raise ConflictError(
                field="nodes",
                value=hit[0],
                rule=f"{known.id} of {known.tenant} keeps accelerators of {hit[0]} until {to_iso(known.to_ms)}",
                remedy="Choose another window, or end the reservation first.",
            )
        put_reservation(tx, moved, now_ms, f"its seats make way for {window.id}")


def _check_window(from_ms: int, to_ms: int, now_ms: int) -> None:
    if to_ms <= from_ms or to_ms - from_ms > LONGEST_MS:
        raise ValidationError(
            field="to",
            value=to_iso(to_ms),
            rule=f"after {to_iso(from_ms)} and at most {LONGEST_MS // DAY_MS} days later",
            remedy="Give a later end.",
        )
    if to_ms <= now_ms:
        raise ValidationError(
            field="to", value=to_iso(to_ms), rule=f"later than now, {to_iso(now_ms)}", remedy="Give a time to come."
        )
    if from_ms > now_ms + FARTHEST_MS:
        raise ValidationError(
            field="from",
            value=to_iso(from_ms),
            rule=f"within {FARTHEST_MS // DAY_MS} days",
            remedy="Plan it when it is nearer.",
        )


def _covered(tx: Transaction, patterns: Sequence[str]) -> tuple[str, ...]:
    known = [node.name for node in tx.fleet.every()]
    found: set[str] = set()
    for pattern in patterns:
        named = {name for name in known if name == pattern or fnmatchcase(name, pattern)}
        if not named:
            raise NotFoundError(
                field="nodes", value=pattern, rule="no such node", remedy='List nodes with "petahour fleet".'
            )
        found |= named
    if not found:
        raise ValidationError(field="nodes", value=[], rule="at least one node", remedy="Name the nodes.")
    return tuple(sorted(found))
