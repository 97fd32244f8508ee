"""What a client asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRequest:
    """A job to run. The control plane checks every rule; see the job file reference for the fields.

    ``tenant`` is for operators only. ``walltime`` and ``grace`` are durations such as ``"1h30m"``, ``memory`` a
    size such as ``"8GiB"``, each also a plain number of seconds or bytes. ``after_ok`` and ``after_any`` are ids of
    jobs it waits for. ``array`` such as ``"0-15%4"`` makes one job for each index, at most four of them at once.
    ``max_price`` such as ``"5.50"`` is the most it pays for an accelerator-hour of spot, in its tenant's currency.
    ``meter_power``: the output of the first rank ends with what its accelerators drew.
    """

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

    def body(self) -> dict[str, object]:
        """The JSON body of ``POST /v1/jobs``; what is not said is left out."""
        gang: dict[str, object] = {"nodes": self.nodes, "accelerators_per_node": self.accelerators_per_node}
        if self.switch != "preferred":
            gang["switch"] = self.switch
        if self.exclusive:
            gang["exclusive"] = True
        full: dict[str, object] = {
            "tenant": self.tenant,
            "project": self.project,
            "name": self.name,
            "command": list(self.command),
            "workdir": self.workdir,
            "environment": dict(self.environment),
            "gang": gang,
            "types": list(self.types),
            "tier": self.tier,
            "priority": self.priority,
            "walltime": self.walltime,
            "retries": self.retries,
            "checkpoint_dir": self.checkpoint_dir,
            "preemption_signal": self.preemption_signal,
            "grace": self.grace,
            "memory": self.memory,
            "after_ok": list(self.after_ok) or None,
            "after_any": list(self.after_any) or None,
            "array": self.array,
            "max_price": self.max_price,
            "quote": self.quote,
            "meter_power": self.meter_power or None,
        }
        return {name: value for name, value in full.items() if value is not None}
