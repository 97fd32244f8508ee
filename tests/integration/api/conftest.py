"""A control plane in this process, on SQLite and the local engine, with two tenants and a key for every role."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from sqlalchemy import create_engine, text

from petahour.cli.assembly import Assembly, assemble
from petahour.server.app import create_app

FLEET = """
[[node]]
name = "a100"
type = "a100-80g-sxm"
accelerators = 4
count = 2
rehearsal = true
"""
PLACES = {
    "operator": (None, "operator"),
    "finance": (None, "finance"),
    "tenant-admin": ("acme", "tenant-admin"),
    "member": ("acme", "member"),
    "viewer": ("acme", "viewer"),
    "stranger": ("beta", "tenant-admin"),
}


@dataclass(frozen=True, kw_only=True, repr=False)
class Api:
    """The app's client, the key of each role, and the database behind it."""

    http: httpx.Client
    assembly: Assembly
    keys: dict[str, str]
    database: Path

    def ask(self, who: str | None, method: str, path: str, **rest: Any) -> Any:
        headers = dict(rest.pop("headers", {}))
        if who is not None:
            headers["Authorization"] = f"Bearer {self.keys[who]}"
        return self.http.request(method, path, headers=headers, **rest)

    def make(self, path: str, body: object) -> Any:
        """Create something as the operator; what the answer says of it."""
        answer = self.ask("operator", "POST", path, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        engine = create_engine(f"sqlite:///{self.database}")
        with engine.connect() as connection:
            names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
            counts = {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in names}
        engine.dispose()
        return counts


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(FLEET, "utf-8")
    assembly = assemble(
        data_dir=tmp_path / "data", database_url=None, fleet_file=fleet, prices_file=None, catalog_file=None, cpus=2
    )
    assert assembly.operator_key is not None
    server = uvicorn.Server(uvicorn.Config(create_app(assembly.context), log_level="warning"))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=30) as http:
        keys = {"operator": assembly.operator_key}
        made = Api(http=http, assembly=assembly, keys=keys, database=tmp_path / "data" / "petahour.db")
        for tenant in ("acme", "beta"):
            made.make("/v1/tenants", {"name": tenant, "currency": "CNY"})
        for name, (tenant, role) in PLACES.items():
            made.make(f"/v1/tenants/{tenant}/users" if tenant else "/v1/users", {"name": f"u-{name}", "role": role})
            made.keys[name] = made.make("/v1/keys", {"user": f"u-{name}", "tenant": tenant})["key"]
        assembly.context.live.refresh(assembly.context.store, assembly.context.settings)
        yield made
    server.should_exit = True
    thread.join()
    assembly.close()
