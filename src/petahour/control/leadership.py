"""Leadership: whether this process may act, and until when it may believe so."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from petahour.model.errors import ConflictError, UnavailableError
from petahour.model.leases import Lease, Replica
from petahour.model.time import SECOND_MS
from petahour.store.fenced import FencedStore
from petahour.store.protocol import Store

log = logging.getLogger("petahour.leadership")

DEFAULT_TTL_MS = 5 * SECOND_MS
RENEWALS = 3  # in the time that a lease holds
SOON_S = 0.05


def _boottime_s() -> float:
    """Seconds that go on while the host sleeps, and that nobody can set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Leadership(Protocol):
    """What the control loop asks before it acts."""

    @property
    def name(self) -> str:
        """This replica's name, empty for a control plane that has no others."""

    @property
    def epoch(self) -> int | None:
        """Under which epoch this process leads, None where it follows."""

    def holds(self) -> bool:
        """Whether nobody else can have begun to lead by now: asked before each act outside the database."""

    def fenced(self, store: Store, epoch: int) -> Store:
        """The store for what the leader writes under an epoch."""

    def give_up(self) -> None:
        """Leave the lead to others for a while."""


class Alone:
    """The leadership of a control plane whose data directory nobody else can open."""

    name = ""
    epoch: int | None = 0

    def holds(self) -> bool:
        return True

    def fenced(self, store: Store, epoch: int) -> Store:
        return store

    def give_up(self) -> None:
        return


@dataclass(kw_only=True, slots=True)
class _Held:
    """A lease of ours, and until when it surely holds, on this host's own clock."""

    epoch: int
    until_s: float


class LeasedLeadership:
    """Takes the lease when it is free, renews it while it is ours. A thread of its own, so that no step delays it.

    ``sole``: no other replica shares the data directory. A lease whose holder held the very lock that this process
    holds now (that of the data directory, or of the replica's name in it) is not waited for: its holder is dead.
    """

    def __init__(
        self,
        store: Store,
        replica: Replica,
        *,
        ttl_ms: int = DEFAULT_TTL_MS,
        sole: bool = False,
        now_s: Callable[[], float] = _boottime_s,
    ) -> None:
        self.replica = replica
        self._store = store
        self._ttl_ms = ttl_ms
        self._sole = sole
        self._now_s = now_s
        self._held: _Held | None = None
        self._aside_until_s = 0.0
        self._away = False
        self._changed: Callable[[], None] = lambda: None
        self._woken, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    # -- what the control loop asks ------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self.replica.name

    @property
    def epoch(self) -> int | None:
        held = self._held
        return None if held is None else held.epoch

    def holds(self) -> bool:
        held = self._held
        return held is not None and self._now_s() < held.until_s

    def fenced(self, store: Store, epoch: int) -> Store:
        return FencedStore(store, epoch)

    def give_up(self) -> None:
        held, self._held = self._held, None
        self._aside_until_s = self._now_s() + 2 * self._ttl_ms / SECOND_MS
        if held is not None:
            with self._store.aside() as tx:
                tx.lease.release(held.epoch)

    # -- its life ------------------------------------------------------------------------------------------------

    def enter(self) -> None:
        """Lead if nobody does. Where somebody does: follow, or as the sole control plane refuse to start.

        A sole one waits first until a lease that nobody renews has expired. Raises ConflictError where another site
        leads, or as said.
        """
        with self._store.read() as tx:
            first = tx.lease.current()
        self._refuse_other_site(first)
        self.look()
        waited_until_s = self._now_s() + (0 if first is None else max(0, first.left_ms) / SECOND_MS)
        while self._sole and self._held is None:
            if self._now_s() > waited_until_s + 1:
                raise self._led_already()
            self._closing.wait(SOON_S)
            self.look()

    def start(self, changed: Callable[[], None]) -> None:
        """Keep looking; ``changed`` is called when this process came to lead or ceased to."""
        self._changed = changed
        self._thread.start()

    def stop(self) -> None:
        """End the thread and, where this process leads, the lease: another one may take it at once."""
        self._closing.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()
        held, self._held = self._held, None
        if held is not None:
            try:
                with self._store.aside() as tx:
                    tx.lease.release(held.epoch)
            except UnavailableError as error:
                log.warning("the lease could not be given back: %s", error.rule)

    def look(self) -> float:
        """Renew, or take what is free. Seconds until the next look is due."""
        held = self._held
        return self._seek() if held is None else self._renew(held)

    def _run(self) -> None:
        pause_s = 0.0
        while not self._closing.is_set():
            self._woken.wait(pause_s)
            self._woken.clear()
            if self._closing.is_set():
                return
            before = self.epoch
            try:
                pause_s = self.look()
                self._away = False
            except UnavailableError as error:
                if not self._away:
                    log.warning("the lease cannot be looked at: %s", error.rule)
                self._away, pause_s = True, self._ttl_ms / SECOND_MS / 10
            except Exception:
                log.exception("looking at the lease failed; it is tried again")
                pause_s = self._ttl_ms / SECOND_MS / 10
            if self.epoch != before:
                self._changed()

    def _renew(self, held: _Held) -> float:
        asked_s = self._now_s()
        with self._store.aside() as tx:
            renewed = tx.lease.renew(held.epoch, ttl_ms=self._ttl_ms)
        if renewed:
            held.until_s = asked_s + self._ttl_ms / SECOND_MS
            return self._ttl_ms / SECOND_MS / RENEWALS
        log.warning("%s has lost the lead: another replica took it after epoch %d", self.replica.name, held.epoch)
        self._held = None
        return SOON_S

    def _seek(self) -> float:
        with self._store.read() as tx:
            found = tx.lease.current()
        left_ms = 0 if found is None else found.left_ms
        at_once = found is not None and self._ours(found)
        if (left_ms <= 0 or at_once) and self._now_s() >= self._aside_until_s:
            self._take(at_once=at_once)
            if self._held is not None:
                return self._ttl_ms / SECOND_MS / RENEWALS
        return max(SOON_S, min(left_ms, self._ttl_ms / RENEWALS) / SECOND_MS)

    def _take(self, *, at_once: bool) -> None:
        asked_s = self._now_s()
        with self._store.write() as tx:
            epoch = tx.lease.take(self.replica, ttl_ms=self._ttl_ms, at_once=at_once)
        if epoch is not None:
            log.info("%s leads, epoch %d", self.replica.name, epoch)
            self._held = _Held(epoch=epoch, until_s=asked_s + self._ttl_ms / SECOND_MS)

    def _ours(self, lease: Lease) -> bool:
        """Its holder held the lock that this process holds now, so that it is dead."""
        same_place = (lease.holder.site, lease.holder.boot) == (self.replica.site, self.replica.boot)
        return same_place and (self._sole or lease.holder.name == self.replica.name)

    def _refuse_other_site(self, lease: Lease | None) -> None:
        if lease is None or lease.left_ms <= 0 or lease.holder.site == self.replica.site:
            return
        raise ConflictError(
            field="data-dir",
            value=self.replica.site,
            rule=f"replicas share one data directory and, with the local engine, one host; "
            f"{lease.holder.name} leads from {lease.holder.site}",
            remedy="Start with its data directory (and on its host), or use another database.",
        )

    def _led_already(self) -> ConflictError:
        with self._store.read() as tx:
            found = tx.lease.current()
        leader = "another control plane" if found is None else f"{found.holder.name} ({found.holder.url})"
        return ConflictError(
            field="database-url",
            value=None,
            rule=f"one control plane a database; {leader} leads on this one",
            remedy="Stop it, use another database, or run both as replicas with --replica NAME.",
        )
