"""Slurm as an engine of this control plane: its settings file, slurm.conf, and the engine made of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from petahour.catalog import Catalog, load_catalog
from petahour.control.clock import Clock
from petahour.engines.slurm.engine import SlurmEngine
from petahour.engines.slurm.settings import SlurmSettings, read_settings

log = logging.getLogger("petahour")

ANSWER_S = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SlurmFiles:
    """``settings``: slurm.toml. ``conf``: slurm.conf, which has the last word over the one slurm.toml names."""

    settings: Path
    conf: Path | None = None


def slurm_engine(directory: Path, settings: SlurmSettings, clock: Clock) -> SlurmEngine:
    """The engine, once Slurm has said which nodes it has; without its word after a while all the same, as what
    was known of its nodes is stored."""
    engine = SlurmEngine(directory, settings=settings, clock_ms=clock.now_ms)
    if not engine.await_nodes(ANSWER_S):
        log.warning("Slurm has not answered within %g s; its jobs and nodes are taken up when it does", ANSWER_S)
    elif not engine.nodes():
        log.warning("partition %s has no node with accelerators of slurm.toml", settings.partition)
    return engine


def slurm_settings(files: SlurmFiles, catalog: Catalog) -> SlurmSettings:
    """Raises ValidationError naming file, field and rule."""
    settings = read_settings(files.settings, catalog.types)
    conf = files.conf or settings.conf
    return replace(settings, conf=None if conf is None else conf.resolve())


def site_gres(settings: Path | None) -> Mapping[str, str]:
    """What a site's GRES are in the catalogue, by its slurm.toml; nothing without one."""
    return {} if settings is None else read_settings(settings, load_catalog().types).gres
