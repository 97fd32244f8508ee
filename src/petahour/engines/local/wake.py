"""Wake: supervisors say by datagram that something happened, so that nobody has to keep looking."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

LONGEST_PATH = 100  # the kernel takes 107 bytes for a socket's path


class Wake:
    """Listens in a thread of its own. A lost datagram costs a little time only: the engine also sweeps."""

    def __init__(self, directory: Path, heard: Callable[[str], None]) -> None:
        self.path = str(directory / "wake.sock")
        if len(self.path) > LONGEST_PATH:
            # The link is made anew at each start; supervisors write through the name they were started with.
            short = Path(tempfile.gettempdir()) / f"petahour-{os.getuid()}-{zlib.crc32(str(directory).encode())}.sock"
            self.path = str(short)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._heard = heard
        self._closing = False
        self._thread = threading.Thread(target=self._listen, name="engine-wake", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closing = True
        # By the socket itself: its path may be another listener's by now.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(1)
        self._socket.close()

    def _listen(self) -> None:
        while not self._closing:
            allocation = self._socket.recv(200).decode(errors="replace")
            if allocation:
                self._heard(allocation)
