"""A job as asked for: text and numbers from outside, before any rule was applied."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRequest:
    """What came in; `petahour.control.specify` turns it into a JobSpec or refuses it."""

    command: tuple[str, ...]
    types: tuple[str, ...] = ("cpu",)
    tenant: str | None = None
    project: str = "default"
    name: str | None = None
    workdir: str = "."
    environment: Mapping[str, str] = field(default_factory=dict)
    nodes: int = 1
    accelerators_per_node: int = 1
    tier: str = "on-demand"
    priority: int = 0
    walltime: str | int | None = None
    retries: int = 0
    checkpoint_dir: str | None = None
    preemption_signal: str = "SIGTERM"
    grace: str | int = "30s"
    memory: str | int | None = None
    switch: str = "preferred"
    exclusive: bool = False
    after_ok: tuple[str, ...] = ()
    after_any: tuple[str, ...] = ()
    array: str | None = None
    max_price: str | None = None
    quote: str | None = None
    meter_power: bool = False

    def digest(self) -> str:
        """A hash that tells whether two requests ask for the same."""
        said = asdict(self)
        # Requests of before there were quotes and meters keep their hash.
        if self.quote is None:
            del said["quote"]
        if self.max_price is None:
            del said["max_price"]
        if not self.meter_power:
            del said["meter_power"]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
