"""Adding vectors over all ranks of a gang: every rank sends to rank 0, which adds and sends the sum back."""

from __future__ import annotations

import os
import socket
import time

import numpy as np

from petahour.cli.training.model import Array

CONNECT_S = 60.0
ANSWER_S = 300.0


class Gang:
    """This rank's place in the gang, from the rendezvous variables, and its connections.

    A peer that goes away raises ConnectionError here, so that no rank waits for ever.
    """

    def __init__(self) -> None:
        self.rank = int(os.environ.get("RANK", "0"))
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self._peers: list[socket.socket] = []
        if self.size == 1:
            return
        address = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
        self._peers = _accept(address, self.size - 1) if self.rank == 0 else [_connect(address, self.rank)]

    def add(self, vector: Array) -> Array:
        """The sum of the ranks' vectors (float64, equal lengths), the same bits on every rank."""
        if self.size == 1:
            return vector
        if self.rank != 0:
            self._peers[0].sendall(vector.tobytes())
            return _receive(self._peers[0], vector)
        total = vector.copy()
        for peer in self._peers:
            total += _receive(peer, vector)
        for peer in self._peers:
            peer.sendall(total.tobytes())
        return total

    def close(self) -> None:
        for peer in self._peers:
            peer.close()


def _accept(address: tuple[str, int], count: int) -> list[socket.socket]:
    """Connections of the other ranks, in rank order, so that sums are added in one order."""
    peers: dict[int, socket.socket] = {}
    with socket.create_server(address, backlog=count, reuse_port=False) as listener:
        listener.settimeout(CONNECT_S)
        while len(peers) < count:
            peer, _ = listener.accept()
            peer.settimeout(ANSWER_S)
            peers[int.from_bytes(_exactly(peer, 4), "big")] = peer
    return [peers[rank] for rank in sorted(peers)]


def _connect(address: tuple[str, int], rank: int) -> socket.socket:
    until = time.monotonic() + CONNECT_S
    while True:
        try:
            peer = socket.create_connection(address, timeout=ANSWER_S)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.sendall(rank.to_bytes(4, "big"))
            return peer
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def _receive(peer: socket.socket, like: Array) -> Array:
    return np.frombuffer(_exactly(peer, like.nbytes), dtype=np.float64)


def _exactly(peer: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = peer.recv(count - len(data))
        if not piece:
            raise ConnectionError("a rank of the gang went away")
        data += piece
    return bytes(data)
