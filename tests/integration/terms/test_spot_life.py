"""Any life under posted spot prices: bounds and steps hold, nobody pays above a limit, all of it is proven."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.integration.terms.conftest import BEGIN_MS
from tests.integration.terms.plane import OPERATOR, Plane

from petahour.control.audit import audit
from petahour.control.fleet import drain, resume
from petahour.control.live import LiveState
from petahour.control.prices import PriceBooks
from petahour.control.step import Reconciler
from petahour.model.allocations import EndKind
from petahour.model.time import HOUR_MS, MINUTE_MS, to_iso
from petahour.store.sql.store import sqlite_url

picks = st.integers(0, 10_000)
LIMITS = ("0.20", "0.55", "0.90", "1.00", "1.37", "2.00", None)


class SpotLife(RuleBasedStateMachine):
    """Jobs with limits come and go, books change, the control plane crashes, the clock moves as it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="petahour-spot-"))
        self.plane = Plane.open(sqlite_url(self.folder / "petahour.db"), self.folder, now_ms=BEGIN_MS)
        self.books = 0
        self.publish_book(floor=50, ceiling=200, step=37, percent=60)
        self.plane.topup("1000")

    def teardown(self) -> None:
        self.plane.close()
        shutil.rmtree(self.folder)

    @rule(
        limit=st.sampled_from(LIMITS),
        count=st.sampled_from([1, 3, 8]),
        grace=st.sampled_from(["0s", "30s", "20m", "1h"]),
        walltime=st.sampled_from([None, "90m", "20h"]),
    )
    def submit(self, limit: str | None, count: int, grace: str, walltime: str | None) -> None:
        self.plane.submit(
            accelerators_per_node=count, tier="spot", grace=grace, walltime=walltime, **_given(max_price=limit)
        )
        self.plane.step()

    @rule(pick=picks, kind=st.sampled_from([EndKind.SUCCEEDED, EndKind.FAILED, EndKind.LOST]))
    def end(self, pick: int, kind: EndKind) -> None:
        running = sorted(self.plane.engine.running)
        if running:
            self.plane.engine.end(running[pick % len(running)], kind)
            self.plane.step()

    @rule(
        floor=st.integers(10, 90),
        ceiling=st.integers(90, 300),
        step=st.integers(0, 80),
        percent=st.integers(1, 99),
    )
    def publish_book(self, floor: int, ceiling: int, step: int, percent: int) -> None:
        self.books += 1
        name, at = f"book-{self.books}", to_iso(self.plane.clock.at_ms + self.books)
        self.plane.publish(
            f'[[price_book]]\nid = "{name}"\ncurrency = "CNY"\neffective = {at}\nprices.cpu.spot = "0.90"\n'
            f'spot.cpu = {{ floor = "{floor / 100}", ceiling = "{ceiling / 100}", step = "{step / 100}", '
            f"target = {percent} }}\n"
        )

    @rule(span_ms=st.sampled_from([1, 59_000, 17 * MINUTE_MS, HOUR_MS, 3 * HOUR_MS + 7]), watched=st.booleans())
    def pass_time(self, span_ms: int, watched: bool) -> None:
        if watched:
            self.plane.advance(span_ms, by_ms=5 * MINUTE_MS)
        else:
            self.plane.clock.at_ms += span_ms
            self.plane.step()

    @rule(hours=st.integers(2, 8))
    def be_sought(self, hours: int) -> None:
        """The whole fleet is held, so that the price rises; who is above its limit by then is slow to stop."""
        self.plane.engine.stop_takes_ms = HOUR_MS
        self.plane.submit(accelerators_per_node=2, tier="spot", max_price="1.00", grace="30s")
        self.plane.submit(accelerators_per_node=6, tier="spot", walltime="20h")
        self.plane.advance(hours * HOUR_MS, by_ms=15 * MINUTE_MS)

    @rule(takes_ms=st.sampled_from([0, 10_000, 40 * MINUTE_MS]))
    def stop_slowly(self, takes_ms: int) -> None:
        self.plane.engine.stop_takes_ms = takes_ms

    @rule(draining=st.booleans())
    def service(self, draining: bool) -> None:
        (drain if draining else resume)(self.plane.context, OPERATOR, "n1", **({"reason": "x"} if draining else {}))
        self.plane.step()

    @rule()
    def crash(self) -> None:
        with self.plane.context.store.read() as tx:
            books = PriceBooks(tx.prices.books())
        self.plane.context = replace(self.plane.context, live=LiveState(), prices=books)
        self.plane.loop = Reconciler(self.plane.context)
        self.plane.step()

    @invariant()
    def proven(self) -> None:
        with self.plane.context.store.read() as tx:
            assert [(check.name, check.detail) for check in audit(tx) if not check.ok] == []
            books = {book.id: book for book in tx.prices.books()}
            posted = tx.prices.posted()
            allocations = {one.id: one for one in tx.allocations.every()}
            used = {one.id: one.allocation for one in tx.ledger.usage(tenant=None, from_ms=0, to_ms=2**60)}
            charges = tx.ledger.charges(tenant=None, from_ms=0, to_ms=2**60)
        for one in posted:
            rule = books[one.book].spot["cpu"]
            assert rule.floor_micros <= one.price_micros <= rule.ceiling_micros
            assert abs(one.price_micros - rule.within(one.before_micros)) <= rule.step_micros
        assert len({one.hour_ms for one in posted}) == len(posted)
        for charge in charges:
            limit = allocations[used[charge.usage]].limit_micros
            assert limit is None or charge.price_micros <= limit


def _given(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


TestSpotLife = SpotLife.TestCase
TestSpotLife.settings = settings(
    max_examples=6, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
