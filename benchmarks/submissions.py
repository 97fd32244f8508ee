"""Submissions a second through the API from 8 concurrent clients, every one a durable transaction.

    python benchmarks/submissions.py [--seconds 10] [--postgres | --database-url postgresql://...]

`--postgres` starts a throw-away PostgreSQL on this host, which syncs every commit to disk.

Baseline: what the same 8 clients get from GET /healthz, which touches no database, in the same run.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from plane import Plane, control_plane, tenant_with_credit
from report import Figure, percentile, show

CLIENTS = 8
FLEET = """
[[node]]
name = "bench"
type = "a100-80g-sxm"
accelerators = 8
rehearsal = true
"""


def ask(url: str, key: str, method: str, path: str, body: str, until: float, results: multiprocessing.Queue) -> None:
    """One client: requests over one connection until the time is up."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    took_ms, errors = [], 0
    while time.time() < until:
        began = time.perf_counter()
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        answer.read()
        took_ms.append((time.perf_counter() - began) * 1e3)
        errors += answer.status >= 400
    results.put((took_ms, errors))


def storm(plane: Plane, method: str, path: str, body: str, seconds: float) -> tuple[list[float], int]:
    """All clients at once; every latency in milliseconds, and how many answers were errors."""
    results: multiprocessing.Queue = multiprocessing.Queue()
    until = time.time() + seconds
    arguments = (plane.url, plane.key, method, path, body, until, results)
    clients = [multiprocessing.Process(target=ask, args=arguments) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    answers = [results.get() for _ in clients]
    for client in clients:
        client.join()
    return [one for took, _ in answers for one in took], sum(errors for _, errors in answers)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--database-url")
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    if not options.postgres:
        return measure(options.seconds, options.database_url)
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "integration"))
    from postgres import PostgresServer

    server = PostgresServer(fsync=True)
    try:
        server.start()
        return measure(options.seconds, server.new_database())
    finally:
        server.close()


def measure(seconds: float, database_url: str | None) -> int:
    with control_plane(fleet=FLEET, database_url=database_url) as plane, plane.client() as client:
        tenant_with_credit(client)
        client.post("/v1/fleet/nodes/bench/drain", json={"reason": "benchmark"}).raise_for_status()
        body = json.dumps({"tenant": "bench", "command": ["true"], "types": ["a100-80g-sxm"], "tier": "spot"})
        idle, _ = storm(plane, "GET", "/healthz", "", 2)
        took, errors = storm(plane, "POST", "/v1/jobs", body, seconds)
    database = "PostgreSQL" if database_url else "SQLite"
    rate, idle_rate = len(took) / seconds, len(idle) / 2
    name = "GET /healthz, same clients"
    figures = [
        Figure(
            name="submissions", value=rate, unit="per s", baseline_name=name, baseline=idle_rate,
            target=">= 300/s, no errors", ok=rate >= 300 and errors == 0,
        ),
        Figure(
            name="p99 latency", value=percentile(took, 0.99), unit="ms", baseline_name=name,
            baseline=percentile(idle, 0.99),
        ),
    ]  # fmt: skip
    return show(f"Submissions on {database}, {CLIENTS} clients, {len(took)} jobs, {errors} errors", figures)


if __name__ == "__main__":
    raise SystemExit(main())
