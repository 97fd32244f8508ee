"""A store for the leader alone: each of its writes finds out first whether it still leads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from petahour.store.protocol import Store, Transaction


class FencedStore:
    """A Store whose writes are of one epoch of the lease.

    Writers are serialised and the lease is taken by a writer, so that an epoch found inside a transaction holds until
    its commit. Raises NotLeaderError on a write under an older epoch, before anything is read or written.
    """

    def __init__(self, store: Store, epoch: int) -> None:
        self._store = store
        self._epoch = epoch

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        with self._store.write() as tx:
            tx.lease.require(self._epoch)
            yield tx

    def read(self) -> AbstractContextManager[Transaction]:
        return self._store.read()

    def aside(self) -> AbstractContextManager[Transaction]:
        return self._store.aside()

    def close(self) -> None:
        self._store.close()
