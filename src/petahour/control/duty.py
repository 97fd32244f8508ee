"""Duty: what only the leader has: engines at work, the fleet as it finds it, and the courier."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from petahour.control.clock import SystemClock
from petahour.control.context import Context
from petahour.control.engine_nodes import NodeAgreement
from petahour.control.fleet import register
from petahour.control.notices.courier import Courier
from petahour.control.notices.mail import MailServer
from petahour.engines.crew import Crew
from petahour.model.errors import ConflictError
from petahour.model.resources import Node
from petahour.model.time import SECOND_MS

log = logging.getLogger("petahour")


@dataclass(kw_only=True, slots=True)
class Duty:
    """Taken up when this process comes to lead, laid down when it ceases to.

    ``nodes``: this host's and the declared ones; ``found_later``: engines that find their nodes themselves.
    """

    crew: Crew
    clock: SystemClock
    nodes: Sequence[Node] = ()
    found_later: frozenset[str] = frozenset()
    mail: MailServer | None = None
    _courier: Courier | None = field(default=None, init=False)
    _delivers: bool = field(default=False, init=False)

    def take_up(self, context: Context) -> None:
        """Everything that a start takes: of what the last leader left, nothing is believed but store and engines.

        Raises ConflictError for two nodes of one name, and for what runs on an engine that this process has not.
        """
        self._catch_up(context)
        self.crew.take_up()
        register(context, self.nodes, found_later=self.found_later)
        context.live.forget()
        context.live.refresh(context.store, context.settings)
        self._refuse_missing_engines(context)
        for engine in context.engines.values():
            NodeAgreement().agree(context, engine)
        context.live.refresh(context.store, context.settings)
        self._courier = Courier(context, self.mail)
        self._delivers = False

    def deliver(self) -> None:
        """Have notices delivered from now on."""
        if self._courier is not None and not self._delivers:
            self._delivers = True
            self._courier.start()

    def lay_down(self, *, wait: bool = False) -> None:
        """Let go of the engines. What runs keeps running; ``wait``: for a delivery under way."""
        courier, self._courier = self._courier, None
        if courier is not None:
            courier.stop(wait=wait)
        self.crew.let_go()

    def keep_time(self, recorded_ms: int) -> None:
        """What another replica recorded is past here too."""
        self.clock.not_before(recorded_ms)

    def _catch_up(self, context: Context) -> None:
        """The host's clock stands still until it has caught up with what the store remembers."""
        with context.store.read() as tx:
            behind_ms = self.clock.not_before(tx.events.latest_ms())
        if behind_ms > SECOND_MS:
            log.warning(
                "the host's clock is %.1f s behind what was recorded; time stands still until then", behind_ms / 1e3
            )

    def _refuse_missing_engines(self, context: Context) -> None:
        """What runs on an engine needs that engine, to be heard of and to be stopped."""
        for allocation in context.live.allocations.values():
            if allocation.engine not in context.engines:
                raise ConflictError(
                    field="engine",
                    value=allocation.engine,
                    rule=f"{allocation.id} runs on an engine that this start leaves out",
                    remedy=f"Start with --engine {allocation.engine}.",
                )
