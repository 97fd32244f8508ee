"""Who is calling: the API key of a request, resolved once per request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from petahour.control.context import Context
from petahour.control.keys import caller_of, known_caller
from petahour.model.tenants import Caller

_bearer = HTTPBearer(auto_error=False, description="An API key: ph_...")


async def context_of(request: Request) -> Context:
    """The control plane this app serves."""
    context: Context = request.app.state.context
    return context


async def caller(
    context: Annotated[Context, Depends(context_of)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """The caller, or 401. Only a key not seen for a moment costs a look-up in the store."""
    text = credentials.credentials if credentials else ""
    known = known_caller(context, text)
    return known if known is not None else await run_in_threadpool(caller_of, context, text)


TheContext = Annotated[Context, Depends(context_of)]
TheCaller = Annotated[Caller, Depends(caller)]
