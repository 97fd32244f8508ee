"""Every error as application/problem+json (RFC 9457): field, rule and remedy, never a traceback."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from petahour.model.errors import PetahourError

log = logging.getLogger("petahour.server")
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = {429: "5", 503: "2"}


def problem(status: int, slug: str, *, field: str, value: object, rule: str, remedy: str) -> Response:
    """One problem document."""
    shown = _shown(value)
    body = {
        "type": f"urn:petahour:problem:{slug}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": f"{_shown(field)}: {rule}. {remedy}",
        "field": _shown(field),
        "value": shown,
        "rule": rule,
        "remedy": remedy,
    }
    headers = {"Retry-After": RETRY_AFTER_S[status]} if status in RETRY_AFTER_S else {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)


def _shown(value: object) -> object:
    """The offending value as JSON can carry it: short, finite, valid Unicode."""
    if value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    text = value if isinstance(value, str) else repr(value)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= 200 else text[:197] + "..."


def install(app: FastAPI) -> None:
    """Answer every kind of failure with a problem document."""
    app.add_exception_handler(PetahourError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, PetahourError)
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR and error.slug == "invariant":
        log.error("invariant broken: %s", error)
    return problem(
        error.status, error.slug, field=error.field, value=error.value, rule=error.rule, remedy=error.remedy
    )


async def _malformed(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if part not in ("body", "query", "path", "header")]
    kind = str(first["type"])
    if kind == "extra_forbidden":
        rule, remedy = "an unknown field", "Remove it, or check its spelling."
    elif kind == "json_invalid":
        rule, remedy = "the body is valid JSON in UTF-8", "Mend the body."
        place = ["body"]
    else:
        rule, remedy = str(first["msg"]), "See /docs for what the field takes."
    return problem(
        422, "invalid", field=".".join(place) or "body", value=first.get("input"), rule=rule, remedy=remedy
    )


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(
        error.status_code,
        "http",
        field="request",
        value=None,
        rule=str(error.detail),
        remedy="See /docs for the routes there are.",
    )


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("unexpected failure of %s %s", request.method, request.url.path, exc_info=error)
    return problem(
        500,
        "internal",
        field="server",
        value=None,
        rule="an unexpected failure",
        remedy="It is in the server's log; report it with the time.",
    )
