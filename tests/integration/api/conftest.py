"""A control plane in this process, on SQLite and the local engine, with two tenants and a key for every role."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A data directory with tenants, users and keys, which each test gets a copy of; and the keys."""
    folder = tmp_path_factory.mktemp("api")
    keys: dict[str, str] = {}
    with _serving(folder, keys) as made:
        for tenant in ("acme", "beta"):
            made.make("/v1/tenants", {"name": tenant, "currency": "CNY"})
        for name, (tenant, role) in PLACES.items():
            made.make(f"/v1/tenants/{tenant}/users" if tenant else "/v1/users", {"name": f"u-{name}", "role": role})
            made.keys[name] = made.make("/v1/keys", {"user": f"u-{name}", "tenant": tenant})["key"]
    return folder, keys


@pytest.fixture
def api(tmp_path: Path, prepared: tuple[Path, dict[str, str]]) -> Iterator[Api]:
    folder, keys = prepared
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True, symlinks=True, ignore=shutil.ignore_patterns("*.sock"))
    # The directories of projects are known by their whole path.
    engine = create_engine(f"sqlite:///{tmp_path / 'data' / 'petahour.db'}")
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE projects SET directory = replace(directory, :prepared, :mine)"),
            {"prepared": str(folder), "mine": str(tmp_path)},
        )
    engine.dispose()
    with _serving(tmp_path, dict(keys)) as made:
        made.assembly.context.live.refresh(made.assembly.context.store, made.assembly.context.settings)
        yield made


@contextmanager
def _serving(folder: Path, keys: dict[str, str]) -> Iterator[Api]:
    """A control plane over a data directory. Where it makes an operator, its key is put among the keys."""
    fleet = folder / "fleet.toml"
    fleet.write_text(FLEET, "utf-8")
    assembly = assemble(
        data_dir=folder / "data", database_url=None, fleet_file=fleet, prices_file=None, catalog_file=None, cpus=2
    )
    if assembly.operator_key is not None:
        keys["operator"] = assembly.operator_key
    server = uvicorn.Server(uvicorn.Config(create_app(assembly.context), log_level="warning"))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=30) as http:
        yield Api(http=http, assembly=assembly, keys=keys, database=folder / "data" / "petahour.db")
    server.should_exit = True
    thread.join()
    assembly.close()
