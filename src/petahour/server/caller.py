"""Who is calling: the API key of a request, resolved once per request."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from petahour.control.context import Context
from petahour.control.keys import caller_of
from petahour.model.tenants import Caller

_bearer = HTTPBearer(auto_error=False, description="An API key: ph_...")


def context_of(request: Request) -> Context:
    """The control plane this app serves."""
    context: Context = request.app.state.context
    return context


def caller(request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Caller:
    """The caller, or 401."""
    return caller_of(context_of(request), credentials.credentials if credentials else "")


TheContext = Annotated[Context, Depends(context_of)]
TheCaller = Annotated[Caller, Depends(caller)]
