"""Accounting for a throw-away Slurm: MariaDB and slurmdbd, with their files below the cluster's directory."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from pathlib import Path

from petahour.model.errors import UnavailableError

PROGRAMS = ("mariadb-install-db", "mariadbd", "mariadb", "slurmdbd", "sacct", "sacctmgr")
ACCOUNT = "mysql"  # MariaDB refuses to be root
CLUSTER = "throwaway"

_SLURMDBD = """\
AuthType=auth/munge
AuthInfo=socket={base}/run/munge.sock
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser={user}
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database_port}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
LogFile={base}/log/slurmdbd.log
PidFile={base}/run/slurmdbd.pid
"""


def slurmdbd_conf(base: Path, *, port: int, database_port: int, user: str) -> Path:
    """Write slurmdbd.conf, which slurmdbd only takes when nobody else can read it."""
    path = base / "slurmdbd.conf"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(_SLURMDBD.format(base=base, port=port, database_port=database_port, user=user))
    return path


def accounting_lines(base: Path, *, port: int, gres: Sequence[str]) -> str:
    """What slurm.conf says of it; ``gres`` such as ``gpu:a100``, each counted by itself."""
    names = sorted({one.partition(":")[0] for one in gres} | set(gres))
    return (
        "AccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost=127.0.0.1\n"
        f"AccountingStoragePort={port}\nAccountingStoragePass={base}/run/munge.sock\n"
        f"AccountingStorageTRES={','.join(f'gres/{name}' for name in names)}\n"
    )


def make_database(base: Path) -> Path:
    """Make an empty MariaDB; its directory."""
    home = base / "mariadb"
    home.mkdir()
    if os.geteuid() == 0:
        account = pwd.getpwnam(ACCOUNT)
        os.chown(home, account.pw_uid, account.pw_gid)
    _run("mariadb-install-db", *_as_account(), f"--datadir={home / 'data'}", "--skip-test-db", *_ROOT)
    return home


def database_command(home: Path, port: int) -> tuple[str, ...]:
    """The server, on the loopback interface, without waiting for disks: it is thrown away."""
    return (
        "mariadbd",
        "--no-defaults",
        *_as_account(),
        f"--datadir={home / 'data'}",
        f"--socket={home / 'sock'}",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-flush-method=nosync",
        "--skip-log-bin",
    )


def make_slurms_account(home: Path) -> None:
    """The database user that slurmdbd is; it makes its database by itself."""
    grant = "CREATE USER slurm@'127.0.0.1' IDENTIFIED BY 'slurm'; GRANT ALL ON slurm_acct_db.* TO slurm@'127.0.0.1'"
    _run("mariadb", "--no-defaults", f"--socket={home / 'sock'}", "--user=root", f"--execute={grant}")


_ROOT = ("--auth-root-authentication-method=normal",)


def _as_account() -> list[str]:
    return [f"--user={ACCOUNT}"] if os.geteuid() == 0 else []


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise UnavailableError(
            field="mariadb",
            value=words[-1] if words else None,
            rule=f"{command[0]} succeeds",
            remedy="Debian: apt install mariadb-server slurmdbd slurm-wlm-mysql-plugin.",
        )
