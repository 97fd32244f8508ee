"""What no route may be given: bodies without bound, and addresses that no database can look up."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from petahour.server.problems import problem

MAX_BODY_BYTES = 1024 * 1024


class BodyLimit:
    """Answers 413 to a body over the limit, declared or streamed, and 422 to a NUL in the address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            await _no_nul(scope, receive, send)
            return
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
            await self._refuse(scope, receive, send)
            return
        if declared != b"0":
            await self._app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > MAX_BODY_BYTES:
                await self._refuse(scope, receive, send)
                return
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = problem(
            413,
            "too-large",
            field="body",
            value=None,
            rule=f"at most {MAX_BODY_BYTES} bytes",
            remedy="Put large inputs into files in the project directory.",
        )
        await answer(scope, receive, send)


async def _no_nul(scope: Scope, receive: Receive, send: Send) -> None:
    answer = problem(
        422,
        "invalid",
        field="address",
        value=None,
        rule="no NUL character",
        remedy="Check the name in the address.",
    )
    await answer(scope, receive, send)
