"""The lease: one holder at a time by the database's clock, and no write under an epoch that is over."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from petahour.control.leadership import LeasedLeadership
from petahour.model.errors import ConflictError, NotLeaderError, UnavailableError
from petahour.model.events import Event, EventKind
from petahour.model.leases import Replica
from petahour.store.fenced import FencedStore
from petahour.store.sql import store as sql_store
from petahour.store.sql.store import SqlStore, open_store

LONG_MS, SHORT_MS = 600_000, 1
A = Replica(name="a", site="here", boot="boot-1", url="http://a")
B = replace(A, name="b", url="http://b")


def take(store: SqlStore, replica: Replica, ttl_ms: int, *, at_once: bool = False) -> int | None:
    with store.write() as tx:
        return tx.lease.take(replica, ttl_ms=ttl_ms, at_once=at_once)


def await_expiry(store: SqlStore) -> None:
    while True:
        with store.read() as tx:
            found = tx.lease.current()
        if found is not None and found.left_ms <= 0:
            return
        time.sleep(0.002)


def test_it_is_held_until_it_expires(store: SqlStore) -> None:
    with store.read() as tx:
        assert tx.lease.current() is None
    assert take(store, A, LONG_MS) == 1
    assert take(store, B, LONG_MS) is None
    with store.read() as tx:
        found = tx.lease.current()
    assert found is not None
    assert (found.holder, found.epoch) == (A, 1)
    assert 0 < found.left_ms <= LONG_MS
    with store.aside() as tx:
        assert tx.lease.renew(1, ttl_ms=SHORT_MS)
    await_expiry(store)
    assert take(store, B, LONG_MS) == 2
    with store.aside() as tx:
        assert not tx.lease.renew(1, ttl_ms=LONG_MS)
        tx.lease.release(1)
    assert take(store, A, LONG_MS) is None, "who has lost it can give nothing back"
    assert take(store, A, LONG_MS, at_once=True) == 3
    with store.aside() as tx:
        tx.lease.release(3)
    assert take(store, B, LONG_MS) == 4


def test_of_many_that_want_it_one_has_it(url: str) -> None:
    stores = [open_store(url) for _ in range(4)]
    for epoch in range(1, 4):
        with ThreadPoolExecutor(8) as pool:
            taken = list(
                pool.map(lambda turn: take(stores[turn % 4], replace(A, name=f"r{turn}"), LONG_MS), range(8))
            )
        assert sorted(one for one in taken if one is not None) == [epoch]
        with stores[0].aside() as tx:
            tx.lease.release(epoch)
    for store in stores:
        store.close()


def test_nothing_is_written_under_an_epoch_that_is_over(store: SqlStore) -> None:
    old = FencedStore(store, take(store, A, SHORT_MS) or 0)
    with old.write() as tx:
        tx.events.append(Event(kind=EventKind.BARRED, at_ms=1))
    await_expiry(store)
    with old.write() as tx:
        # It has expired, but nobody took it: all it wrote still is what the next one will find.
        tx.events.append(Event(kind=EventKind.BARRED, at_ms=2))
    new = FencedStore(store, take(store, B, LONG_MS) or 0)
    with pytest.raises(NotLeaderError), old.write() as tx:
        tx.events.append(Event(kind=EventKind.BARRED, at_ms=3))
    with new.write() as tx:
        tx.events.append(Event(kind=EventKind.BARRED, at_ms=4))
    with old.read() as tx:
        assert [event.at_ms for event in tx.events.after(0, limit=9)] == [1, 2, 4]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    turns=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["take", "renew", "release", "write"])), max_size=25)
)
def test_writes_come_in_the_order_of_epochs(store: SqlStore, turns: list[tuple[int, str]]) -> None:
    """Whatever three replicas do in whatever order: what is written never goes back to an older epoch."""
    held: dict[int, int] = {}
    written: list[int] = []
    with store.read() as tx:
        since = tx.events.last_seq()
    for who, deed in turns:
        if deed == "take":
            epoch = take(store, replace(A, name=f"r{who}"), LONG_MS, at_once=who == 2)
            if epoch is not None:
                assert epoch > max(held.values(), default=0)
                held[who] = epoch
        elif who in held:
            with store.aside() as tx:
                current = tx.lease.current()
                assert current is not None
                if deed == "renew":
                    assert tx.lease.renew(held[who], ttl_ms=LONG_MS) == (held[who] == current.epoch)
                elif deed == "release":
                    tx.lease.release(held[who])
            if deed == "write":
                try:
                    with FencedStore(store, held[who]).write() as tx:
                        tx.events.append(Event(kind=EventKind.BARRED, at_ms=held[who]))
                    written.append(held[who])
                except NotLeaderError:
                    assert held[who] < current.epoch
    assert written == sorted(written)
    with store.read() as tx:
        assert [event.at_ms for event in tx.events.after(since, limit=99)] == written


def test_a_writer_that_stands_still_is_ended(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that stops in mid-transaction would hold up every writer for as long as it stands."""
    if url.startswith("sqlite"):
        return  # one process has it to itself
    monkeypatch.setattr(sql_store, "SILENT_WRITER_MS", 200)
    stopped, other = open_store(url), open_store(url)
    with pytest.raises(UnavailableError), stopped.write() as tx:  # noqa: PT012 - the block is the transaction
        tx.events.append(Event(kind=EventKind.BARRED, at_ms=1))
        with other.write() as behind:  # waits for the lock, which comes free without the first one's doing
            behind.events.append(Event(kind=EventKind.BARRED, at_ms=2))
        tx.events.append(Event(kind=EventKind.BARRED, at_ms=3))
    with other.read() as tx:
        assert [event.at_ms for event in tx.events.after(0, limit=9)] == [2]
    # The connection is made anew.
    with stopped.write() as tx:
        tx.events.append(Event(kind=EventKind.BARRED, at_ms=4))
    for store in (stopped, other):
        store.close()


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at_s = 100.0

    def __call__(self) -> float:
        return self.at_s


def test_a_leader_stops_acting_before_another_may_begin(store: SqlStore) -> None:
    hand = Hand()
    leader = LeasedLeadership(store, A, ttl_ms=LONG_MS, now_s=hand)
    follower = LeasedLeadership(store, B, ttl_ms=LONG_MS, now_s=hand)
    leader.enter()
    follower.enter()
    assert (leader.epoch, follower.epoch) == (1, None)
    assert leader.holds()
    assert not follower.holds()
    hand.at_s += LONG_MS / 1_000
    assert not leader.holds(), "by its own clock the lease may be over, whatever the database would say"
    assert leader.epoch == 1
    leader.look()
    assert leader.holds()
    # Another one takes it: the leader learns of it with its next look, and follows.
    with store.aside() as tx:
        tx.lease.release(1)
    follower.look()
    assert follower.epoch == 2
    leader.look()
    assert leader.epoch is None
    assert not leader.holds()
    follower.stop()
    leader.look()
    assert leader.epoch == 3
    leader.give_up()
    leader.look()
    assert leader.epoch is None, "who gave the lead up leaves it to others for a while"
    hand.at_s += 3 * LONG_MS / 1_000
    leader.look()
    assert leader.epoch == 4


def test_who_may_lead_at_a_start(store: SqlStore) -> None:
    LeasedLeadership(store, A, ttl_ms=LONG_MS).enter()
    # The same name on the same boot: this process holds the lock that the other held.
    again = LeasedLeadership(store, A, ttl_ms=LONG_MS)
    again.enter()
    assert again.epoch == 2
    # A sole control plane on the same boot holds the lock on the whole directory.
    sole = LeasedLeadership(store, replace(A, name="sole"), ttl_ms=300, sole=True)
    sole.enter()
    assert sole.epoch == 3
    # After a reboot of that host nobody knows: its lease is waited for.
    rebooted = LeasedLeadership(store, replace(A, name="sole", boot="boot-2"), ttl_ms=LONG_MS, sole=True)
    rebooted.enter()
    assert rebooted.epoch == 4
    for stranger in (replace(B, site="elsewhere"), replace(A, site="elsewhere")):
        with pytest.raises(ConflictError, match="replicas share one data directory"):
            LeasedLeadership(store, stranger, ttl_ms=LONG_MS).enter()


def test_a_sole_control_plane_does_not_start_beside_a_leader(store: SqlStore) -> None:
    leader = LeasedLeadership(store, A, ttl_ms=500)
    leader.enter()
    leader.start(lambda: None)
    sole = LeasedLeadership(store, replace(A, name="sole", boot="boot-2"), ttl_ms=500, sole=True)
    with pytest.raises(ConflictError, match=r"a \(http://a\) leads on this one"):
        sole.enter()
    leader.stop()
