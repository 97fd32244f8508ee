"""A throw-away Slurm: munged, slurmctld, one slurmd a virtual node and slurmrestd, as child processes of this one.

For the demonstration, for benchmarks and for tests. It needs Slurm's programs and nothing of systemd; it lies in
a temporary directory, listens on free ports of the loopback interface only, and leaves nothing when it is closed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import psutil

from petahour.engines.slurm import throwaway_accounting as accounting_
from petahour.engines.slurm.commands import Commands
from petahour.engines.slurm.settings import RestSettings
from petahour.engines.slurm.throwaway_conf import VirtualNode, device_files, gres_conf, slurm_conf, topology_conf
from petahour.engines.slurm.throwaway_left import PREFIX, end_all, of_cluster, own, sweep, variables
from petahour.model.errors import UnavailableError

START_S = 30.0
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "sinfo", "scancel", "scontrol")
REST_ACCOUNT = "daemon"  # slurmrestd refuses to be root or Slurm's own user
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
PR_SET_PDEATHSIG = 1


class ThrowawaySlurm:
    """One cluster, with accounting over MariaDB where asked. ``start`` returns when every node is idle; ``close``
    kills all that it started. ``switches``: leaf switches with the names of their nodes."""

    def __init__(
        self,
        nodes: Sequence[VirtualNode],
        *,
        node_timeout_s: int = 10,
        rest: bool = False,
        accounting: bool = False,
        switches: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        needed = (*PROGRAMS, *(["slurmrestd"] if rest else []), *(accounting_.PROGRAMS if accounting else ()))
        missing = [name for name in needed if not shutil.which(name, path=PATH)]
        if missing:
            raise UnavailableError(
                field="slurm",
                value=", ".join(missing),
                rule="Slurm and munge are installed here",
                remedy="Debian: apt install slurmctld slurmd slurm-client slurmrestd slurm-wlm-jwt-plugin munge.",
            )
        # A short path of its own, as munge's socket is in it and slurmrestd, as somebody else, reads slurm.conf.
        sweep()
        self.directory = directory = Path(tempfile.mkdtemp(prefix=PREFIX))
        own(directory)
        self.nodes = tuple(nodes)
        self._ports = _free_ports(len(nodes) + 2)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._rest = rest
        self._switched = bool(switches)
        for name in ("run", "log", "state", "dev", *(f"spool/{node.name}" for node in nodes)):
            (directory / name).mkdir(parents=True, exist_ok=True)
        directory.chmod(0o755)
        _secret(directory / "munge.key", 1_024)
        _secret(directory / "jwt.key", 32)
        self._accounting = _free_ports(2) if accounting else []
        self.conf.write_text(self._slurm_conf(node_timeout_s), "utf-8")
        (directory / "gres.conf").write_text(gres_conf(directory, nodes), "utf-8")
        if switches:
            (directory / "topology.conf").write_text(topology_conf(switches), "utf-8")
        for name in device_files(nodes):
            (directory / "dev" / name).touch()
        self._environment = {**os.environ, "SLURM_CONF": str(self.conf), "PATH": PATH}

    def _slurm_conf(self, node_timeout_s: int) -> str:
        lines = ""
        if self._accounting:
            kinds = [part.rpartition(":")[0] for node in self.nodes for part in node.gres.split(",")]
            lines = accounting_.accounting_lines(self.directory, port=self._accounting[0], gres=kinds)
        return slurm_conf(
            self.directory,
            self.nodes,
            self._ports[:-1],
            node_timeout_s=node_timeout_s,
            jwt=self._rest,
            accounting=lines,
            switched=self._switched,
        )

    @property
    def conf(self) -> Path:
        """slurm.conf."""
        return self.directory / "slurm.conf"

    def rest_settings(self, token_lifespan_s: int = 3_600) -> RestSettings:
        """How to reach its slurmrestd."""
        return RestSettings(
            url=f"http://127.0.0.1:{self._ports[-1]}",
            user="root" if os.geteuid() == 0 else str(psutil.Process().username()),
            token_command=("env", f"SLURM_CONF={self.conf}", "scontrol", "token", f"lifespan={token_lifespan_s}"),
        )

    # -- all of it -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the daemons and wait until every node is idle. Raises UnavailableError with their last words."""
        run, key = self.directory / "run", self.directory / "munge.key"
        self._spawn(
            "munged",
            *("munged", "-F", "--force", f"--key-file={key}", f"--socket={run / 'munge.sock'}"),
            *(f"--pid-file={run / 'munged.pid'}", f"--seed-file={run / 'munged.seed'}"),
            f"--log-file={self.directory / 'log' / 'munged.log'}",
        )
        self._until(lambda: (run / "munge.sock").exists(), "munged to listen")
        if self._accounting:
            self._start_accounting()
        self.start_controller()
        for node in self.nodes:
            self.start_node(node.name)
        self._until(self._all_idle, "every node to be idle")
        if self._rest:
            self.start_rest()

    def close(self) -> None:
        """Kill the daemons, and whatever they started: processes that have this slurm.conf in their environment."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        self._processes.clear()
        end_all(self.conf)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start_accounting(self) -> None:
        home = accounting_.make_database(self.directory)
        port, database_port = self._accounting
        self._spawn("mariadbd", *accounting_.database_command(home, database_port))
        self._until(lambda: _listens(database_port), "MariaDB to listen")
        accounting_.make_slurms_account(home)
        accounting_.slurmdbd_conf(
            self.directory, port=port, database_port=database_port, user=psutil.Process().username()
        )
        self.start_accounting()
        self.command("sacctmgr", "--immediate", "add", "cluster", accounting_.CLUSTER)

    # -- its parts, which a test may kill and start again ------------------------------------------------------

    def start_controller(self) -> None:
        """Start slurmctld and wait until it answers."""
        self._spawn("slurmctld", "slurmctld", "-D", "-f", str(self.conf))
        self._until(self._answers, "slurmctld to answer")

    def start_node(self, name: str) -> None:
        """Start a node's slurmd."""
        self._spawn(name, "slurmd", "-D", "-N", name, "-f", str(self.conf))

    def start_accounting(self) -> None:
        """Start slurmdbd and wait until it listens."""
        self._spawn("slurmdbd", "slurmdbd", "-D")
        self._until(lambda: _listens(self._accounting[0]), "slurmdbd to listen")

    def start_rest(self) -> None:
        """Start slurmrestd and wait until it listens."""
        account = []
        if os.geteuid() == 0:
            account = ["setpriv", f"--reuid={REST_ACCOUNT}", f"--regid={REST_ACCOUNT}", "--clear-groups", "--"]
        port = self._ports[-1]
        environment = {"SLURM_JWT": "daemon", "SLURMRESTD_SECURITY": "disable_user_check"}
        command = ["slurmrestd", "-a", "rest_auth/jwt", "-s", "openapi/v0.0.38", f"127.0.0.1:{port}"]
        self._spawn("slurmrestd", *account, *command, **environment)
        self._until(lambda: _listens(port), "slurmrestd to listen")

    def kill(self, name: str) -> None:
        """kill -9 of a daemon: ``slurmctld``, ``slurmrestd``, ``munged`` or a node's name."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def kill_node(self, name: str) -> None:
        """A node's sudden death: its slurmd and all that runs on it."""
        self.kill(name)
        for one in of_cluster(self.conf):
            with contextlib.suppress(psutil.Error):
                if variables(one).get("SLURMD_NODENAME") == name or _is_step_of(one, self.directory, name):
                    for below in one.children(recursive=True):
                        below.kill()
                    one.kill()

    def command(self, *words: str) -> str:
        """Run one of Slurm's commands on this cluster; what it printed. Raises CalledProcessError."""
        done = subprocess.run(words, env=self._environment, capture_output=True, text=True, check=True, timeout=30)
        return done.stdout

    def _spawn(self, name: str, *command: str, **more: str) -> None:
        # From /, as the daemons leave files where they are started.
        with (self.directory / "log" / f"{name}.out").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self._environment, **more},
                cwd="/",
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def _answers(self) -> bool:
        try:
            return bool(Commands(self.conf).nodes())
        except UnavailableError:
            return False

    def _all_idle(self) -> bool:
        try:
            return all(node.state == "IDLE" and not node.flags for node in Commands(self.conf).nodes())
        except UnavailableError:
            return False

    def _until(self, true: Callable[[], bool], what: str) -> None:
        deadline_s = time.monotonic() + START_S
        while not true():
            ended = [name for name, process in self._processes.items() if process.poll() is not None]
            if ended or time.monotonic() > deadline_s:
                name = ended[0] if ended else "slurmctld"
                raise UnavailableError(
                    field="slurm",
                    value=self._last_words(name),
                    rule=f"{name} runs (waited for {what})",
                    remedy=f"See {self.directory / 'log'}.",
                )
            time.sleep(0.02)

    def _last_words(self, name: str) -> str:
        lines = (self.directory / "log" / f"{name}.out").read_text("utf-8", "replace").splitlines()
        return " / ".join(lines[-3:])


def _die_with_parent() -> None:
    """A killed owner leaves no daemon behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _is_step_of(process: psutil.Process, directory: Path, node: str) -> bool:
    """A slurmstepd has no node's name in its environment, but the node's spool directory open."""
    if not process.name().startswith("slurmstepd"):
        return False
    spool = str(directory / "spool" / node)
    return any(spool in file.path for file in process.open_files()) or process.cwd().startswith(spool)


def _secret(path: Path, size: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(size))


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all at once so that they differ."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
