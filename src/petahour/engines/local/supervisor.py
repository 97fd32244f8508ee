"""The supervisor of one rank: a program of its own that needs nothing of Petahour.

    python -I -S supervisor.py RANK_DIRECTORY

It starts the rank in a session of its own, keeps its output within bounds, enforces the walltime, carries out
stop requests, and writes how it ended to disk before anybody is told. It outlives the control plane.
The directory holds `launch.json` (what to start), `lock`, `status` and, when asked to stop, `stop.json`.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What `status` and `launch.json` hold; the typing module would cost a start several milliseconds.
Status = dict[str, "Any"]

OVER = "over"  # beside an allocation's output: its end is on record, and nothing of it may begin any more
STATUS_BYTES = 4096
PIPE_BYTES = 65536
LINGER_S = 0.5  # for output that is still in the pipe when the rank has ended
METER_S = 5.0  # for the meter to say what it read; on a busy host it may have only begun
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def boot_id() -> str:
    """Tells one boot of the host from another: process ids mean nothing across boots."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def start_time(pid: int) -> int | None:
    """Clock ticks from boot to the start of a process that is alive, or None: pid and this name one process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def read_status(directory: str) -> Status | None:
    """The last status written, or None when there is none that is whole."""
    try:
        with open(os.path.join(directory, "status"), "rb") as file:
            checksum, _, text = file.read(STATUS_BYTES).rstrip(b"\0").partition(b" ")
    except OSError:
        return None
    try:
        return json.loads(text) if int(checksum or b"0", 16) == zlib.crc32(text) and text else None
    except ValueError:
        return None


def make_status(directory: str) -> int:
    """Claim the status file's bytes now, so that a full disk cannot keep the end from being written."""
    path = os.path.join(directory, "status")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.posix_fallocate(descriptor, 0, STATUS_BYTES)
    return descriptor


def write_status(descriptor: int, status: Status) -> None:
    """Overwrite the status in place and see it on disk."""
    text = json.dumps(status).encode()
    record = b"%08x %s" % (zlib.crc32(text), text)
    os.pwrite(descriptor, record.ljust(STATUS_BYTES, b"\0"), 0)
    os.fsync(descriptor)


def descendants(root: int) -> list[int]:
    """Process ids below ``root``, the deepest last. Orphans below come to a subreaper, so none escapes."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
    found: list[int] = []
    todo = [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


class Supervisor:
    """One rank from its start to its recorded end."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        with open(os.path.join(directory, "launch.json")) as file:
            self.launch: Status = json.load(file)
        self.log: int | None = None
        self.log_left: int = self.launch["log_limit_bytes"]
        self.dropped = 0
        self.stopping: str | None = None
        self.kill_at: float | None = None
        self.child = 0
        self.cgroup: str | None = None
        self.meter = 0
        self.status: Status = {
            "phase": "launching",
            "boot": boot_id(),
            "supervisor": [os.getpid(), start_time(os.getpid())],
            "rank": None,
            "started_ms": None,
            "ended_ms": None,
            "kind": None,
            "code": None,
            "signal": None,
            "message": "",
            "dropped_bytes": 0,
        }
        self.file = make_status(directory)

    def run(self) -> None:
        if os.path.exists(os.path.join(os.path.dirname(self.launch["log"]), OVER)):
            self.end("stopped", None, "its end was on record before it started")
            return
        if os.path.exists(os.path.join(self.directory, "stop.json")):
            self.end("stopped", None, "stopped before it started")
            return
        write_status(self.file, self.status)
        self.prepare()
        output, failed = self.spawn()
        if failed:
            self.end("spawn-failed", 127 if failed.errno == 2 else 126, str(failed.strerror))
            return
        self.status.update(phase="running", rank=[self.child, start_time(self.child)], started_ms=now_ms())
        write_status(self.file, self.status)
        self.notify()
        self.start_meter()
        code = self.watch(output)
        if self.meter:
            self.status["ended_ms"] = now_ms()  # What the meter takes is not the rank's time.
            self.stop_meter(output)
        self.sweep(wait=True)
        self.drain(output)
        self.end(self.stopping or "exited", code, "")

    def prepare(self) -> None:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.wake_read, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for name in (signal.SIGUSR1, signal.SIGCHLD):
            signal.signal(name, lambda *_: None)
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(name, signal.SIG_IGN)
        with contextlib.suppress(OSError):
            self.log = os.open(self.launch["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self.limit_memory()

    def limit_memory(self) -> None:
        """A cgroup (version 2) of its own with a memory limit, where the host lets this process make one."""
        if not self.launch["memory_bytes"]:
            return
        try:
            with open("/proc/self/cgroup") as file:
                own = next(line[3:].strip() for line in file if line.startswith("0::"))
            path = f"/sys/fs/cgroup{own.rstrip('/')}/{self.launch['name']}"
            os.mkdir(path)
            self.cgroup = path
            with open(f"{path}/memory.max", "w") as file:
                file.write(str(self.launch["memory_bytes"]))
        except (OSError, StopIteration):
            self.status["message"] = "the memory limit is not enforced on this host"
            self.leave_cgroup()

    def leave_cgroup(self) -> None:
        if self.cgroup:
            with contextlib.suppress(OSError):
                os.rmdir(self.cgroup)
            self.cgroup = None

    def spawn(self) -> tuple[int, OSError | None]:
        """Fork and execute the rank; returns its output pipe and, if it could not be executed, the error."""
        read, write = os.pipe2(os.O_CLOEXEC)
        error_read, error_write = os.pipe2(os.O_CLOEXEC)
        libc, parent = ctypes.CDLL(None, use_errno=True), os.getpid()
        self.child = os.fork()
        if self.child == 0:
            try:
                self.become_rank(libc, parent, write)
            except OSError as error:
                reason = f"{self.launch['command'][0]}: {error.strerror}"
                os.write(error_write, json.dumps([error.errno, reason]).encode())
            os._exit(126)
        os.close(write)
        os.close(error_write)
        os.set_blocking(read, False)
        with os.fdopen(error_read, "rb") as file:
            said = file.read()
        if not said:
            return read, None
        os.waitpid(self.child, 0)
        number, text = json.loads(said)
        return read, OSError(number, text)

    def become_rank(self, libc: ctypes.CDLL, parent: int, output: int) -> None:
        os.setsid()
        libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(126)
        signal.set_wakeup_fd(-1)
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD):
            signal.signal(name, signal.SIG_DFL)
        if self.cgroup:
            with open(f"{self.cgroup}/cgroup.procs", "w") as file:
                file.write("0")
        if self.launch["cpus"]:
            os.sched_setaffinity(0, self.launch["cpus"])
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(self.launch["workdir"])
        os.execvpe(self.launch["command"][0], self.launch["command"], self.launch["environment"])

    def start_meter(self) -> None:
        """What reads the power of the rank's accelerators and writes to its output; best effort."""
        arguments = self.launch.get("meter")
        if not arguments or self.log is None:
            return
        usual = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD]
        with contextlib.suppress(OSError):
            null = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
            self.meter = os.posix_spawn(
                sys.executable,
                [sys.executable, *arguments],
                os.environ,
                file_actions=[(os.POSIX_SPAWN_DUP2, self.log, 1), (os.POSIX_SPAWN_DUP2, null, 2)],
                setsigdef=usual,
                setsigmask=[signal.SIGTERM],  # until it can obey
            )
            os.close(null)

    def stop_meter(self, output: int) -> None:
        """Its line comes after the rank's own output."""
        self.empty(output)
        until = time.monotonic() + METER_S
        with contextlib.suppress(OSError):
            os.kill(self.meter, signal.SIGTERM)
            while not os.waitpid(self.meter, os.WNOHANG)[0] and time.monotonic() < until:
                time.sleep(0.002)

    def watch(self, output: int) -> int:
        """Until the rank ends: keep its output, obey stop requests, enforce walltime and grace."""
        walltime_ms = self.launch["walltime_ms"]
        walltime_at = None if walltime_ms is None else time.monotonic() + walltime_ms / 1000
        open_output = True
        while True:
            self.look_for_stop()
            now = time.monotonic()
            if walltime_at is not None and now >= walltime_at and not self.stopping:
                self.stop("walltime", self.launch["stop_signal"], self.launch["grace_ms"])
            if self.kill_at is not None and now >= self.kill_at:
                self.sweep()
            pid, state = os.waitpid(self.child, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(state)
            deadlines = [at - now for at in (walltime_at if not self.stopping else None, self.kill_at) if at]
            watched = [self.wake_read, output] if open_output else [self.wake_read]
            ready = select.select(watched, [], [], max(0.005, min([1.0, *deadlines])))[0]
            if self.wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake_read, PIPE_BYTES)
            if output in ready:
                open_output = self.pump(output)

    def look_for_stop(self) -> None:
        if self.stopping in (None, "walltime") and os.path.exists(os.path.join(self.directory, "stop.json")):
            with open(os.path.join(self.directory, "stop.json")) as file:
                asked = json.load(file)
            self.stop("stopped", asked["signal"], asked["grace_ms"])

    def stop(self, why: str, name: str, grace_ms: int) -> None:
        if self.stopping is None:
            self.stopping = why
            self.kill_at = time.monotonic() + grace_ms / 1000
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child, getattr(signal, name))
        else:
            self.kill_at = min(self.kill_at or 0.0, time.monotonic() + grace_ms / 1000)

    def sweep(self, *, wait: bool = False) -> None:
        """Kill whatever is left below this process, however it was detached, and reap it."""
        for _ in range(100):
            left = [pid for pid in descendants(os.getpid()) if start_time(pid) is not None]
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not left or not wait:
                break
            time.sleep(0.005)

    def pump(self, output: int) -> bool:
        """Take what the pipe holds; False at its end."""
        try:
            data = os.read(output, PIPE_BYTES)
        except BlockingIOError:
            return True
        if not data:
            return False
        kept = data[: self.log_left] if self.log is not None else b""
        self.dropped += len(data) - len(kept)
        while kept and self.log is not None:
            try:
                written = os.write(self.log, kept)
            except OSError:
                # A full disk costs output, never the rank.
                self.dropped += len(kept)
                break
            self.log_left -= written
            kept = kept[written:]
        return True

    def empty(self, output: int) -> None:
        until = time.monotonic() + LINGER_S
        while time.monotonic() < until and select.select([output], [], [], 0.0)[0] and self.pump(output):
            pass

    def drain(self, output: int) -> None:
        self.empty(output)
        if self.dropped and self.log is not None:
            with contextlib.suppress(OSError):
                os.write(self.log, f"\n[{self.dropped} bytes of output dropped: limit or full disk]\n".encode())

    def end(self, kind: str, code: int | None, message: str) -> None:
        self.leave_cgroup()
        # A rank that ended well before a stop reached it has succeeded all the same.
        self.status.update(
            phase="ended",
            ended_ms=self.status["ended_ms"] or now_ms(),
            kind="exited" if kind == "stopped" and code == 0 else kind,
            code=None if code is None else (128 - code if code < 0 else code),
            signal=-code if code is not None and code < 0 else None,
            message=message or self.status["message"],
            dropped_bytes=self.dropped,
        )
        write_status(self.file, self.status)
        self.notify()

    def notify(self) -> None:
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, kind) as sender:
            sender.sendto(self.launch["allocation"].encode(), self.launch["wake"])


def main(directory: str) -> None:
    lock = os.open(os.path.join(directory, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # another supervisor has this rank
    if read_status(directory) is None:
        Supervisor(directory).run()


if __name__ == "__main__":
    main(sys.argv[1])
