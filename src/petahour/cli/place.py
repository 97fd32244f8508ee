"""Where a control plane lives: its data directory, the locks that make it its own, and its part among replicas."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from petahour.control.leadership import DEFAULT_TTL_MS, LeasedLeadership
from petahour.engines.local.supervisor import boot_id
from petahour.model.errors import ConflictError, ValidationError
from petahour.model.leases import Replica
from petahour.store.sql.store import SqlStore

MAX_SITE = 200
SOLE = "sole"  # stands for the name of a control plane that has no replicas
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplicaOptions:
    """``name``: this replica's, None for a control plane that has no others. ``ttl_ms``: how long a lease holds.

    ``url``: where it serves, for the others to say.
    """

    name: str | None = None
    ttl_ms: int = DEFAULT_TTL_MS
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A data directory that is ours, or our replica's part of it, for as long as ``locks`` are open."""

    data_dir: Path
    instance: str
    locks: tuple[int, ...]

    def close(self) -> None:
        for lock in self.locks:
            os.close(lock)


def own_place(data_dir: Path, replica: ReplicaOptions, database_url: str | None) -> Place:
    """Raises ConflictError when somebody else has the directory, or a replica of this name runs on it.

    A control plane without replicas has it for itself; replicas share it, and each has its name for itself.
    """
    if replica.name is None:
        locks: tuple[int, ...] = (_lock(data_dir, "lock", fcntl.LOCK_EX),)
    else:
        _check_replica(replica.name, database_url)
        shared = _lock(data_dir, "lock", fcntl.LOCK_SH)
        try:
            locks = (shared, _lock(data_dir, f"lock-{replica.name}", fcntl.LOCK_EX))
        except BaseException:
            os.close(shared)
            raise
    return Place(data_dir=data_dir, instance=_instance(data_dir), locks=locks)


def leadership_of(
    store: SqlStore, place: Place, replica: ReplicaOptions, *, runs_here: bool
) -> LeasedLeadership | None:
    """The lease's keeper; None on SQLite, where the lock on the data directory does the same.

    ``runs_here``: jobs run on this host, so that no replica on another one could take them over.
    """
    if not store.shared:
        return None
    host = f" on {socket.gethostname()}" if runs_here else ""
    site = f"{place.data_dir} ({place.instance}){host}"
    return LeasedLeadership(
        store,
        Replica(name=replica.name or SOLE, site=site[-MAX_SITE:], boot=boot_id(), url=replica.url),
        ttl_ms=replica.ttl_ms,
        sole=replica.name is None,
    )


def _check_replica(name: str, database_url: str | None) -> None:
    if _NAME.fullmatch(name) is None or name == SOLE:
        raise ValidationError(
            field="replica",
            value=name,
            rule=f'1 to 40 small letters, digits and hyphens, and not "{SOLE}"',
            remedy="Choose a name such as a or plane-2.",
        )
    if not (database_url or "").startswith("postgresql"):
        raise ValidationError(
            field="replica",
            value=name,
            rule="replicas share a PostgreSQL database; SQLite serves one control plane",
            remedy="Name it with --database-url postgresql://..., or leave --replica out.",
        )


def _lock(data_dir: Path, name: str, kind: int) -> int:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = os.open(data_dir / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ValidationError(
            field="data-dir",
            value=str(data_dir),
            rule=f"a directory this process can write to ({error.strerror})",
            remedy="Choose another with --data-dir.",
        ) from None
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        if name == "lock":
            rule = "one control plane a data directory"
            remedy = "Stop the other one, choose another directory, or run both as replicas with --replica NAME."
            if kind == fcntl.LOCK_SH:
                remedy = "Stop the one that runs there without --replica, and start it with a name of its own."
        else:
            rule, remedy = "one process a replica", "Give this one another name with --replica."
        raise ConflictError(field="data-dir", value=str(data_dir / name), rule=rule, remedy=remedy) from None
    return lock


def _instance(data_dir: Path) -> str:
    """What tells this directory from another one, made once."""
    path, made = data_dir / "instance", data_dir / f"instance.{os.getpid()}"
    if not path.exists():
        made.write_text(secrets.token_hex(5), "utf-8")
        with contextlib.suppress(FileExistsError):
            os.link(made, path)  # whole or not at all, and the first one stays
        made.unlink()
    return path.read_text("utf-8").strip()
