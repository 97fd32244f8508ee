"""A real HTTP server on a real port that answers as a test says, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(kw_only=True)
class Asked:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: object


@dataclass(kw_only=True)
class Answer:
    """What to answer; ``hang_up`` breaks the connection instead."""

    status: int = 200
    body: object = None
    text: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False


def problem(status: int, slug: str, **said: object) -> Answer:
    document = {"type": f"about:blank#{slug}", "title": "No", "status": status, "detail": "", **said}
    return Answer(status=status, body=document, headers={"Content-Type": "application/problem+json"})


class AnsweringServer:
    """Answers ``METHOD /path`` from a list, whose last answer stays; 404 for what it was not told."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._answers: dict[str, list[Answer]] = {}
        self._computed: dict[str, Callable[[Asked], Answer]] = {}
        handler = type("Handler", (_Handler,), {"owner": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def on(self, route: str, *answers: Answer) -> None:
        self._answers[route] = list(answers)

    def compute(self, route: str, function: Callable[[Asked], Answer]) -> None:
        self._computed[route] = function

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        route = f"{asked.method} {asked.path}"
        if route in self._computed:
            return self._computed[route](asked)
        left = self._answers.get(route)
        if not left:
            return problem(404, "not-found", field="path", value=route, rule="no such thing", remedy="Look again.")
        return left.pop(0) if len(left) > 1 else left[0]

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    owner: AnsweringServer
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536  # Head and body leave together, or the answer waits for an acknowledgement.

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        answer = self.owner.answer(
            Asked(
                method=self.command,
                path=parts.path,
                query=parse_qs(parts.query),
                headers=dict(self.headers.items()),
                body=json.loads(body) if body else None,
            )
        )
        if answer.hang_up:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        data = answer.text.encode() if answer.text is not None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """A test's output is its own."""


def job(**changes: object) -> dict[str, object]:
    """A job as the API shows it."""
    values: dict[str, object] = {
        "id": "job-7q0w4v2m9x",
        "seq": 3,
        "tenant": "acme",
        "project": "default",
        "user": "ann",
        "name": "train",
        "state": "queued",
        "tier": "on-demand",
        "priority": 0,
        "command": ["python", "train.py"],
        "workdir": "/data/acme",
        "environment": {"SEED": "1"},
        "types": ["a100-80g-sxm", "ascend-910b3"],
        "gang": {"nodes": 2, "accelerators_per_node": 8, "switch": "preferred", "exclusive": False},
        "after": [],
        "array": None,
        "walltime_ms": 5_400_000,
        "retries": 0,
        "checkpoint_dir": None,
        "preemption_signal": "SIGTERM",
        "grace_ms": 30_000,
        "memory_bytes": None,
        "limit_micros": None,
        "submitted_ms": 1_772_366_400_000,
        "ended_ms": None,
        "attempt": 0,
        "failures": 0,
        "preemptions": 0,
        "exit_code": None,
        "message": "",
        "hold": {"code": "capacity", "text": "needs 2 x 8 a100-80g-sxm; 12 free"},
        "type": None,
        "rehearsal": None,
        "started_ms": None,
    }
    return values | changes


def job_detail(**changes: object) -> dict[str, object]:
    """A job with one attempt that was preempted, and its history."""
    allocation = {
        "id": "alloc-7q0w4v2m9x-1",
        "attempt": 1,
        "type": "a100-80g-sxm",
        "slots": [{"node": "n1", "indexes": [0, 1]}],
        "state": "ended",
        "rehearsal": True,
        "borrowed": False,
        "placed_ms": 1_772_366_401_000,
        "started_ms": 1_772_366_402_000,
        "ended_ms": 1_772_366_462_000,
        "end_kind": "stopped",
        "stop_cause": "preempted",
        "price_micros": 5_600_000,
        "limit_micros": None,
        "currency": "CNY",
    }
    history = [
        {
            "seq": 1,
            "at_ms": 1_772_366_400_000,
            "kind": "job-submitted",
            "before": None,
            "after": "queued",
            "cause": "submitted",
            "attempt": 0,
        },
        {
            "seq": 2,
            "at_ms": 1_772_366_462_000,
            "kind": "job-ended",
            "before": "stopping",
            "after": "preempted",
            "cause": "preempted for another",
            "attempt": 1,
        },
    ]
    return {**job(), "allocations": [allocation], "history": history, **changes}
