"""The agent of one node of a gang: a program of its own that needs nothing of Petahour.

    python3 -I -S agent.py ALLOCATION_DIRECTORY

`srun` starts it once on every node of the job. It starts its ranks' supervisors, keeps looking for a request to
stop, lets the whole gang know when a rank of its own has failed, and exits with its ranks' highest code.
The directory is on a file system that all nodes share. It holds `gang.json` (who runs what), `stop` and `break`
(empty until something is asked for), `meeting` (where the ranks meet, once known) and `rank-N/` for each rank.
Files that are waited for exist from the beginning: opening a file again sees what other nodes wrote to it, while
a name that was missing may stay missing for a while.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from petahour.engines.local import supervisor
    from petahour.engines.slurm import hostlist
else:  # Their copies lie beside this file's.
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import hostlist
    import supervisor

LOOK_S = 0.25
MEET_S = 60.0
LOST = 125


def read(path: str) -> str:
    """A file's text, or nothing when it is gone: the gang is over then."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def read_object(path: str) -> dict[str, Any] | None:
    """A file's JSON object; None while it is empty or half written."""
    try:
        found: dict[str, Any] = json.loads(read(path))
    except ValueError:
        return None
    return found


def write_whole(path: str, value: object) -> None:
    temporary = path + ".new"
    with open(temporary, "w") as file:
        json.dump(value, file)
    os.replace(temporary, path)


def free_port() -> int:
    """A port that was free a moment ago on this node."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port


def devices_of(text: str, node: str) -> list[str]:
    """The device numbers that ``scontrol show job -d`` says the job holds on a node: ``GRES=gpu:a100:2(IDX:0-1)``."""
    for line in text.splitlines():
        found = re.search(r"\bNodes=(\S+) .*GRES=(\S+)", line)
        if found is None or node not in hostlist.expand(found[1]):
            continue
        numbers: list[str] = []
        for part in re.findall(r"\(IDX:([\d,-]+)\)", found[2]):
            for span in part.split(","):
                low, _, high = span.partition("-")
                numbers += [str(one) for one in range(int(low), int(high or low) + 1)]
        return numbers
    return []


class Agent:
    """The ranks of one node from their start to their end."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.gang = read_object(self.path("gang.json")) or {}
        self.node = os.environ["SLURMD_NODENAME"]
        # Where Slurm picked the nodes, its own numbering is the gang's.
        placed = self.gang["nodes"]
        self.place = placed.index(self.node) if placed else int(os.environ["SLURM_NODEID"])
        self.ranks: list[int] = self.gang["ranks"][self.place]
        self.supervisors: dict[int, subprocess.Popen[bytes]] = {}
        self.codes: dict[int, int] = {}
        self.told = ""

    def path(self, *names: str) -> str:
        return os.path.join(self.directory, *names)

    def run(self) -> int:
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU):
            signal.signal(name, lambda *_: None)  # unlike an ignored signal, this is not passed on to the ranks
        self.look_for_stop()  # before anything starts: a supervisor that finds the request starts nothing
        meeting = {} if self.told else self.meet()
        for rank in self.ranks:
            self.spawn(rank, meeting)
        while self.supervisors:
            self.look_for_stop()
            self.reap()
            if self.supervisors:
                time.sleep(LOOK_S if len(self.supervisors) > 1 else LOOK_S / 2)
        return max(self.codes.values(), default=0)

    def meet(self) -> dict[str, str]:
        """The first node says where the ranks meet, the others wait for its word."""
        if self.place == 0:
            address = self.gang["address"] or os.environ.get("SLURM_LAUNCH_NODE_IPADDR") or socket.gethostname()
            meeting = {"MASTER_ADDR": address, "MASTER_PORT": str(free_port())}
            if len(self.gang["ranks"]) > 1:
                with open(self.path("meeting"), "w") as file:
                    json.dump(meeting, file)
            return meeting
        until = time.monotonic() + MEET_S
        while time.monotonic() < until:
            found = read_object(self.path("meeting"))
            if found:
                return found
            self.look_for_stop()
            if self.told:
                return {}
            time.sleep(0.02)
        raise SystemExit(f"the gang's first node has not said within {MEET_S:g} s where the ranks meet")

    def spawn(self, rank: int, meeting: dict[str, str]) -> None:
        place = self.path(f"rank-{rank}")
        if supervisor.read_status(place) is not None:
            return  # it was started before: never twice
        launch = read_object(os.path.join(place, "asked.json"))
        if launch is None:
            return  # the allocation was forgotten meanwhile
        launch["environment"].update(meeting, PETAHOUR_SLURM_JOB_ID=os.environ.get("SLURM_JOB_ID", ""))
        if not self.gang["nodes"]:
            launch["environment"]["PETAHOUR_NODE"] = self.node
        if self.gang["visible"]:
            numbers = devices_of(read(self.path("held")), self.node)
            if not numbers:
                raise SystemExit("Slurm does not say which devices the job holds")
            # Of a node of its own a gang may hold more than it runs on.
            chosen = ",".join(numbers[: len(self.ranks)])
            launch["environment"].update(dict.fromkeys(self.gang["visible"], chosen), PETAHOUR_ACCELERATORS=chosen)
        write_whole(os.path.join(place, "launch.json"), launch)
        self.supervisors[rank] = subprocess.Popen(
            [sys.executable, "-I", "-S", supervisor.__file__, place], stdin=subprocess.DEVNULL, start_new_session=True
        )

    def look_for_stop(self) -> None:
        """Pass a request to stop on to the supervisors; a later one of another wording too."""
        for name in ("stop", "break"):
            asked = read_object(self.path(name))
            if asked is None:
                continue
            text = json.dumps(asked)
            if self.told != text and not (self.told and name == "break"):
                self.told = text
                for rank in self.ranks:
                    if rank not in self.codes:
                        self.tell(rank, asked)
            return

    def tell(self, rank: int, asked: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            write_whole(self.path(f"rank-{rank}", "stop.json"), asked)
            process, status = self.supervisors.get(rank), supervisor.read_status(self.path(f"rank-{rank}"))
            # Its word that it runs means that it has set its handlers; before that the signal would end it.
            if process is not None and status is not None and status["phase"] == "running":
                process.send_signal(signal.SIGUSR1)

    def reap(self) -> None:
        for rank, process in list(self.supervisors.items()):
            if process.poll() is None:
                continue
            del self.supervisors[rank]
            status = supervisor.read_status(self.path(f"rank-{rank}"))
            over = status is not None and status["phase"] == "ended"
            code = status["code"] if over and status is not None else LOST
            self.codes[rank] = 0 if over and status["kind"] == "stopped" else min(255, code or 0)  # type: ignore[index]
            if self.codes[rank] and not self.told:
                self.fail()

    def fail(self) -> None:
        """A gang fails as one: the agents of the other nodes look at the same file."""
        asked = {"signal": self.gang["stop_signal"], "grace_ms": self.gang["break_grace_ms"]}
        with contextlib.suppress(OSError), open(self.path("break"), "r+") as file:
            json.dump(asked, file)


if __name__ == "__main__":
    sys.exit(Agent(sys.argv[1]).run())
