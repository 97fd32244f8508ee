"""Commands on a data directory itself: the API in this process, without a server, its loop or its engines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI

from petahour.catalog import load_catalog
from petahour.cli.database import home_of, stored
from petahour.client import Client
from petahour.control.clock import Clock, SystemClock
from petahour.control.context import Context
from petahour.control.ids import RandomIds
from petahour.control.live import LiveState
from petahour.control.posted import Posted
from petahour.control.prices import PriceBooks
from petahour.model.tenants import Caller, Role
from petahour.server.app import create_app
from petahour.server.caller import caller

_URL = "http://127.0.0.1"
_OPERATOR = Caller(key="", user="operator", role=Role.OPERATOR, tenant=None)


@contextmanager
def offline(data_dir: Path, *, clock: Clock | None = None) -> Iterator[Client]:
    """A client of the books below a control plane's data directory, as its operator.

    Whoever may read and write the directory has that right anyway. A control plane may be running on it: the
    database parts the two. Nothing is dated before what is recorded there, even if the host's clock was set back.
    Raises NotFoundError where there is no database.
    """
    catalog = load_catalog(None)
    with stored(data_dir, None) as store:
        with store.read() as tx:
            prices = PriceBooks(tx.prices.books(), Posted(tx.prices.posted()))
            if clock is None:
                clock = SystemClock()
                clock.not_before(tx.events.latest_ms())
        context = Context(
            store=store,
            engines={},
            catalog=catalog,
            prices=prices,
            clock=clock,
            ids=RandomIds(),
            live=LiveState(),
            data_dir=home_of(data_dir),
        )
        app = create_app(context)
        app.dependency_overrides[caller] = lambda: _OPERATOR
        with Client(_URL, "", in_process=InProcess(app)) as client:
            yield client


class InProcess(httpx.BaseTransport):
    """Hands requests to an application in this process, one after the other."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        asked = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        async with httpx.ASGITransport(app=self._app) as transport:
            answer = await transport.handle_async_request(asked)
            content = await answer.aread()
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)
