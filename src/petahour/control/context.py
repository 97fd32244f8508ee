"""What every use case is handed: the parts an assembler chose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from petahour.catalog.catalog import Catalog
from petahour.control.callers import KnownCallers
from petahour.control.clock import Clock
from petahour.control.ids import Ids
from petahour.control.leadership import Alone, Leadership
from petahour.control.live import LiveState
from petahour.control.prices import PriceBooks
from petahour.control.settings import Settings
from petahour.engines.protocol import Engine
from petahour.store.protocol import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """A control plane's parts. ``wake`` asks the control loop for a step now."""

    store: Store
    engines: Mapping[str, Engine]
    catalog: Catalog
    prices: PriceBooks
    clock: Clock
    ids: Ids
    live: LiveState
    data_dir: Path
    settings: Settings = field(default_factory=Settings)
    callers: KnownCallers = field(default_factory=KnownCallers)
    leadership: Leadership = field(default_factory=Alone)
    wake: Callable[[], None] = lambda: None
