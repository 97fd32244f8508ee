"""Promises in time: maintenance windows and reservations."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, status
from fastapi.responses import JSONResponse

from petahour.billing.fields import read_instant
from petahour.control.lent_shares import shares_for
from petahour.control.maintenance import cancel_maintenance, plan_maintenance, windows_for
from petahour.control.renewals import next_renewal, set_renewal
from petahour.control.reservation_changes import early_end, end_reservation, extend, lend, upgrade
from petahour.control.reservations import Wish, confirm, lent_micros, reservation_for, reservations_for, reserve
from petahour.model.promises import Reservation, maintenance_data, reservation_data
from petahour.model.time import month_of
from petahour.server.caller import TheCaller, TheContext
from petahour.server.promise_schemas import (
    ConfirmBody,
    EndBody,
    ExtendBody,
    LendBody,
    MaintenanceBody,
    RenewBody,
    ReservationBody,
    UpgradeBody,
)
from petahour.server.schemas import Body

router = APIRouter(prefix="/v1", tags=["promises"])


@router.get("/maintenance")
def windows(
    context: TheContext,
    caller: TheCaller,
    past: Annotated[bool, Query(description="Those that are over, too.")] = False,
) -> JSONResponse:
    """Maintenance windows, the next first; with ``past`` the latest first."""
    found = windows_for(context, caller, over=past)
    return JSONResponse({"windows": [maintenance_data(window) for window in found]})


@router.post("/maintenance", status_code=status.HTTP_201_CREATED)
def plan(body: MaintenanceBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Plan a window in which nodes are empty; ``runs_on``: jobs that it does not stop and that may run into it."""
    made = plan_maintenance(
        context,
        caller,
        body.nodes,
        from_ms=read_instant(body.begins, "from"),
        to_ms=read_instant(body.to, "to"),
        reason=body.reason,
        empties=body.empties,
    )
    answer = maintenance_data(made.window) | {"runs_on": list(made.runs_on)}
    return JSONResponse(answer, status_code=status.HTTP_201_CREATED)


@router.post("/maintenance/{window_id}/cancel")
def call_off(window_id: str, context: TheContext, caller: TheCaller, body: Body | None = None) -> JSONResponse:
    """Call a window off; what it drained takes work again."""
    return JSONResponse(maintenance_data(cancel_maintenance(context, caller, window_id)))


@router.get("/reservations")
def reservations(context: TheContext, caller: TheCaller, tenant: str | None = None) -> JSONResponse:
    """Reservations by their beginning: of a tenant, or all that one may see."""
    found = reservations_for(context, caller, tenant=tenant)
    return JSONResponse({"reservations": [_view(one, context) for one in found]})


@router.get("/reservations/{reservation_id}")
def reservation(reservation_id: str, context: TheContext, caller: TheCaller) -> JSONResponse:
    """One reservation; ``lent_micros``: what lending has earned its owner so far; ``early_end_ms`` and
    ``early_end_fee_micros``: when it would end if it were cancelled now, and for which fee.
    """
    found = reservation_for(context, caller, reservation_id)
    early = early_end(context, found, context.clock.now_ms())
    ended_ms, fee_micros = (None, None) if early is None else (early[0].to_ms, early[1])
    return JSONResponse(
        _view(found, context)
        | {
            "lent_micros": lent_micros(context, found),
            "early_end_ms": ended_ms,
            "early_end_fee_micros": fee_micros,
        }
    )


@router.get("/tenants/{tenant}/lent-shares")
def lent_shares(
    tenant: str,
    context: TheContext,
    caller: TheCaller,
    month: str | None = None,
    limit: Annotated[int, Query(description="At most so many, the latest first.")] = 100,
) -> JSONResponse:
    """What its lent seats earned a tenant in a month, share by share; of the present month, as it stands."""
    chosen = month or month_of(context.clock.now_ms())
    found = shares_for(context, caller, tenant, chosen, limit=limit)
    return JSONResponse({"tenant": tenant, "month": chosen} | asdict(found))


@router.post("/reservations", status_code=status.HTTP_201_CREATED)
def create(body: ReservationBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Reserve accelerators for a window; a tenant's own request waits until it is confirmed."""
    wish = Wish(
        tenant=body.tenant,
        type=body.type,
        count=body.count,
        nodes=body.nodes,
        per_node=body.per_node,
        from_ms=None if body.begins is None else read_instant(body.begins, "from"),
        to_ms=None if body.to is None else read_instant(body.to, "to"),
        months=body.months,
        price=body.price,
        lends=body.lends,
        share=body.share,
        renews=body.renews,
    )
    return JSONResponse(_view(reserve(context, caller, wish), context), status_code=status.HTTP_201_CREATED)


@router.post("/reservations/{reservation_id}/confirm")
def confirm_one(reservation_id: str, body: ConfirmBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Promise what a tenant requested."""
    return JSONResponse(_view(confirm(context, caller, reservation_id, price=body.price), context))


@router.post("/reservations/{reservation_id}/cancel")
def end_one(reservation_id: str, context: TheContext, caller: TheCaller, body: EndBody | None = None) -> JSONResponse:
    """End it with the present hour, or before it begins; ``fee_micros``: what that costs."""
    most_micros = None if body is None else body.fee_micros
    ended, fee_micros = end_reservation(context, caller, reservation_id, most_micros=most_micros)
    return JSONResponse(_view(ended, context) | {"fee_micros": fee_micros})


@router.post("/reservations/{reservation_id}/extend")
def extend_one(reservation_id: str, body: ExtendBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Let it go on until a later hour, at its price."""
    return JSONResponse(_view(extend(context, caller, reservation_id, to_ms=read_instant(body.to, "to")), context))


@router.post("/reservations/{reservation_id}/lend")
def lend_one(reservation_id: str, body: LendBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Lend what is unused of it to spot from now on, or no longer; spot on its seats is then stopped."""
    return JSONResponse(_view(lend(context, caller, reservation_id, lends=body.lends), context))


@router.post("/reservations/{reservation_id}/renew")
def renew_one(reservation_id: str, body: RenewBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Renew it month by month, or no longer; ``renews_at_ms`` and ``renews_to_ms``: when, and until when."""
    return JSONResponse(_view(set_renewal(context, caller, reservation_id, renews=body.renews), context))


@router.post("/reservations/{reservation_id}/upgrade", status_code=status.HTTP_201_CREATED)
def upgrade_one(reservation_id: str, body: UpgradeBody, context: TheContext, caller: TheCaller) -> JSONResponse:
    """Enlarge it: a reservation beside it, to the same end."""
    made = upgrade(context, caller, reservation_id, count=body.count, price=body.price)
    return JSONResponse(_view(made, context), status_code=status.HTTP_201_CREATED)


def _view(one: Reservation, context: TheContext) -> dict[str, object]:
    at_ms, to_ms = next_renewal(context, one) or (None, None)
    return reservation_data(one) | {
        "renews_at_ms": at_ms,
        "renews_to_ms": to_ms,
        "state": one.shown_state(context.clock.now_ms()),
        "accelerators": one.accelerators,
    }
