"""The demonstration's fleet: three vendors' chips that need not be here, declared or as nodes of a real Slurm."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from petahour.cli.demo.tenants import A100, ASCEND, MTT
from petahour.cli.options import EngineName

# None of the chips need be here: jobs on these nodes run as ordinary processes.
DECLARED = """\
[[node]]
name = "a100"
type = "a100-80g-sxm"
accelerators = 2
count = 2
switch = "leaf-1"
rehearsal = true

[[node]]
name = "ascend"
type = "ascend-910b3"
accelerators = 2
switch = "leaf-2"
rehearsal = true

[[node]]
name = "mtt"
type = "mtt-s4000"
accelerators = 2
switch = "leaf-2"
rehearsal = true
"""

# Slurm's names for the same chips, two of them on each of four nodes.
GRES = {"gpu:a100": A100, "npu:910b3": ASCEND, "gpu:s4000": MTT}
NODES = {"a100-0": "gpu:a100:2", "a100-1": "gpu:a100:2", "ascend": "npu:910b3:2", "mtt": "gpu:s4000:2"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """The options of `petahour up` that give it this fleet."""

    options: Mapping[str, str | Path]


@contextmanager
def fleet_of(engine: EngineName, directory: Path) -> Iterator[Fleet]:
    """A fleet for the control plane; Slurm runs as long as the context lasts.

    Raises UnavailableError when Slurm is asked for and not installed.
    """
    if engine is EngineName.LOCAL:
        path = directory / "fleet.toml"
        path.write_text(DECLARED, "utf-8")
        yield Fleet(options={"--fleet": path})
        return
    from petahour.engines.slurm.throwaway import ThrowawaySlurm
    from petahour.engines.slurm.throwaway_conf import PARTITION, VirtualNode

    slurm = ThrowawaySlurm([VirtualNode(name=name, gres=gres) for name, gres in NODES.items()])
    try:
        slurm.start()
        path = directory / "slurm.toml"
        table = "".join(f'"{site}" = "{name}"\n' for site, name in GRES.items())
        head = f'partition = "{PARTITION}"\nrehearsal = true\npython = "{sys.executable}"\n'
        path.write_text(f"{head}\n[gres]\n{table}", "utf-8")
        yield Fleet(options={"--engine": engine.value, "--slurm": path, "--slurm-conf": slurm.conf})
    finally:
        slurm.close()
