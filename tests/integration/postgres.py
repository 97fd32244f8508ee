"""A real PostgreSQL server in a directory of its own, that a test may stop and start."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

BINARIES = Path("/usr/lib/postgresql")
ACCOUNT = "postgres"
WAIT_S = 30.0


class PostgresServer:
    """One server on a free port of the loopback interface; ``close`` also removes its directory.

    PostgreSQL refuses to run as root, so that root hands it to the distribution's own account. Raises
    RuntimeError when the server is not installed: a test that needs it then fails, it is not left out.
    """

    def __init__(self, *, fsync: bool = False) -> None:
        self._bin = _binaries()
        self._fsync = "on" if fsync else "off"
        # Not below pytest's directory, which only its owner may enter.
        self._home = Path(tempfile.mkdtemp(prefix="petahour-postgres-"))
        self._data = self._home / "data"
        if os.geteuid() == 0:
            account = pwd.getpwnam(ACCOUNT)
            os.chown(self._home, account.pw_uid, account.pw_gid)
        self._run("initdb", "-D", self._data, "-U", ACCOUNT, "--auth=trust", "--no-sync", "--encoding=UTF8")
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0

    def start(self) -> None:
        """Start and wait until it answers."""
        command = [
            *_as_account(),
            str(self._bin / "postgres"),
            *("-D", str(self._data), "-p", str(self.port)),
            *(
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                f"unix_socket_directories={self._home}",
                "-c",
                f"fsync={self._fsync}",
            ),
        ]
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                psycopg.connect(self._dsn("postgres"), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError((self._home / "log").read_text("utf-8", "replace")) from None
                time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop now: SIGINT throws every client out, SIGQUIT is a crash that is mended at the next start."""
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(number)
            process.wait(WAIT_S)
        self._process = None

    def new_database(self, *, copy_of: str = "") -> str:
        """The URL of a fresh database: empty, or a copy of the one at this URL, to which nobody is connected."""
        self._databases += 1
        name, template = f"petahour_{self._databases}", copy_of.rpartition("/")[2] or "template1"
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return f"postgresql://{ACCOUNT}@127.0.0.1:{self.port}/{name}"

    def drop(self, url: str) -> None:
        """Remove a database that nobody needs any more."""
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)".encode())

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._home)

    def _dsn(self, database: str) -> str:
        return f"host=127.0.0.1 port={self.port} user={ACCOUNT} dbname={database}"

    def _run(self, program: str, *arguments: object) -> None:
        command = [*_as_account(), str(self._bin / program), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self._home)
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr}")


def _binaries() -> Path:
    versions = [path for path in BINARIES.glob("*/bin") if (path / "postgres").exists()]
    if not versions:
        raise RuntimeError(f'no PostgreSQL server below {BINARIES}; install it with "apt-get install postgresql"')
    return max(versions, key=lambda path: int(path.parent.name))


def _as_account() -> list[str]:
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups", "--"]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
