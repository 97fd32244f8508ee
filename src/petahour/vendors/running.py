"""Runs a vendor's tool with a bound on its time and output, and turns every failure into words."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

MOST_OUTPUT_BYTES = 4 * 1024 * 1024

_CHUNK_BYTES = 65_536
_LAST_WAIT_S = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolOutput:
    """What a command printed, or in ``failure`` why that cannot be used. ``failure`` is empty on success."""

    text: str = ""
    failure: str = ""


def run_tool(command: Sequence[str], timeout_ms: int) -> ToolOutput:
    """Run the command without a shell and return its standard output. Raises nothing.

    The tool runs in a process group of its own, which is killed when time or output runs out: its children would
    otherwise hold the pipe open. One that a hung driver keeps from dying is left behind, not waited for.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},
            start_new_session=True,
        )
    except OSError as error:
        return ToolOutput(failure=f"could not be started: {error.strerror}")
    try:
        return _collect(process, time.monotonic() + timeout_ms / 1000, timeout_ms)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    # Until it is reaped its number cannot belong to another process, so the group is surely the tool's own.
    if process.returncode is None:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LAST_WAIT_S)


def _collect(process: subprocess.Popen[bytes], deadline: float, timeout_ms: int) -> ToolOutput:
    hangs = ToolOutput(failure=f"did not answer within {timeout_ms / 1000:g} s")
    output, problems = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for stream, buffer in ((process.stdout, output), (process.stderr, problems)):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, buffer)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                return hangs
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK_BYTES)
                if not chunk:
                    selector.unregister(key.fileobj)
                key.data.extend(chunk)
            if len(output) + len(problems) > MOST_OUTPUT_BYTES:
                return ToolOutput(failure=f"printed more than {MOST_OUTPUT_BYTES} bytes")
    try:
        status = process.wait(max(0.001, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return hangs
    if status != 0:
        said = " ".join((bytes(problems) or bytes(output)).decode("utf-8", "replace").split())
        ending = f"status {status}" if status > 0 else f"signal {-status}"
        return ToolOutput(failure=f"ended with {ending}: {said[:200]}" if said else f"ended with {ending}")
    return ToolOutput(text=bytes(output).decode("utf-8", "replace"))
