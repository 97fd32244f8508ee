"""Assembly: which parts make this control plane. The only place that chooses them."""

from __future__ import annotations

import fcntl
import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from petahour.catalog import Catalog, load_catalog
from petahour.cli.slurm_assembly import SlurmFiles, slurm_engine
from petahour.control.clock import SystemClock
from petahour.control.context import Context
from petahour.control.engine_nodes import NodeAgreement
from petahour.control.fleet import register
from petahour.control.fleet_file import read_fleet
from petahour.control.ids import RandomIds
from petahour.control.keys import first_operator
from petahour.control.live import LiveState
from petahour.control.loop import ControlLoop
from petahour.control.notices.courier import Courier
from petahour.control.notices.mail import mail_server
from petahour.control.prices import load_price_books
from petahour.control.publish import adopt_books
from petahour.control.settings import Settings
from petahour.engines.local.engine import LocalEngine
from petahour.engines.protocol import Engine
from petahour.model.errors import ConflictError, ValidationError
from petahour.model.resources import CPU, Node
from petahour.model.time import SECOND_MS
from petahour.scheduler.policies import PETAHOUR, policy_named
from petahour.store.sql.store import SqlStore, open_store, sqlite_url
from petahour.vendors import host_cpus, probe_all

log = logging.getLogger("petahour")


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """The assembled parts, to be closed in order."""

    context: Context
    loop: ControlLoop
    engines: tuple[Engine, ...]
    courier: Courier
    store: SqlStore
    lock: int
    operator_key: str | None

    def close(self) -> None:
        """Stop stepping, let go of the engine and the store. What runs keeps running."""
        self.loop.stop()
        self.courier.stop()
        for engine in self.engines:
            engine.close()
        self.store.close()
        os.close(self.lock)


def assemble(
    *,
    data_dir: Path,
    database_url: str | None,
    fleet_file: Path | None,
    prices_file: Path | None,
    catalog_file: Path | None,
    cpus: int | None,
    slurm: SlurmFiles | None = None,
    policy: str = PETAHOUR.name,
    smtp_url: str | None = None,
    mail_from: str = "petahour@localhost",
) -> Assembly:
    """Build everything, migrate, register the fleet, create the operator on the first start.

    Raises ConflictError when another control plane already uses the data directory.
    """
    _refuse_oracle(policy)
    mail = mail_server(smtp_url, mail_from) if smtp_url else None
    data_dir = data_dir.resolve()
    lock = _own(data_dir)
    known = load_catalog(catalog_file)
    prices = load_price_books(known, prices_file)
    declared = read_fleet(fleet_file, known) if fleet_file else ()
    store = open_store(database_url or sqlite_url(data_dir / "petahour.db"))
    clock = _clock_of(store)
    prices = adopt_books(store, prices, clock.now_ms(), sample=prices_file is None)
    local = LocalEngine(data_dir / "engine", clock_ms=clock.now_ms)
    engines: list[Engine] = [local]
    if slurm is not None:
        engines.append(slurm_engine(data_dir / "slurm", slurm, known, clock))
    context = Context(
        store=store,
        engines={engine.name: engine for engine in engines},
        catalog=known,
        prices=prices,
        clock=clock,
        ids=RandomIds(),
        live=LiveState(policy),
        data_dir=data_dir,
        settings=Settings(),
    )
    loop = ControlLoop(context)
    context = replace(context, wake=loop.wake)
    _refuse_unknown_engines(declared, context)
    # A host that drives Slurm rents nothing of its own unless told to: it may be one of Slurm's nodes.
    own = host_nodes(known, cpus, local.name) if slurm is None or cpus else []
    register(context, [*own, *declared], found_later={engine.name for engine in engines[1:]})
    key = first_operator(context)
    context.live.refresh(store, context.settings)
    _refuse_missing_engines(context)
    for engine in engines:
        NodeAgreement().agree(context, engine)
    context.live.refresh(store, context.settings)
    courier = Courier(context, mail)
    return Assembly(
        context=context,
        loop=loop,
        courier=courier,
        engines=tuple(engines),
        store=store,
        lock=lock,
        operator_key=key,
    )


def _refuse_oracle(policy: str) -> None:
    """Raises ValidationError for a policy that knows what nobody on a floor can, or that there is not."""
    if policy_named(policy).oracle:
        raise ValidationError(
            field="policy",
            value=policy,
            rule="a policy that needs to know no run times; this one is a bound for replays",
            remedy='Choose another, such as "petahour".',
        )


def _refuse_missing_engines(context: Context) -> None:
    """What runs on an engine needs that engine, to be heard of and to be stopped."""
    for allocation in context.live.allocations.values():
        if allocation.engine not in context.engines:
            raise ConflictError(
                field="engine",
                value=allocation.engine,
                rule=f"{allocation.id} runs on an engine that this start leaves out",
                remedy=f"Start with --engine {allocation.engine}.",
            )


def _clock_of(store: SqlStore) -> SystemClock:
    """The host's clock, which stands still until it has caught up with what the store remembers."""
    clock = SystemClock()
    with store.read() as tx:
        behind_ms = clock.not_before(tx.events.latest_ms())
    if behind_ms > SECOND_MS:
        log.warning(
            "the host's clock is %.1f s behind what was recorded; time stands still until then", behind_ms / 1e3
        )
    return clock


def host_nodes(catalog: Catalog, cpus: int | None, engine: str) -> list[Node]:
    """This host: a node of its cores, and one of each type of accelerator that a vendor's probe found."""
    host = socket.gethostname().split(".")[0].lower() or "host"
    nodes = []
    cores = host_cpus() if cpus is None else cpus
    if cores:
        nodes.append(Node(name=host, pool=CPU, engine=engine, type=CPU, accelerators=cores))
    inventory = probe_all(catalog)
    for note in inventory.notes:
        log.warning("accelerators: %s", note)
    by_type: dict[str, list[int]] = {}
    for found in inventory.found:
        if found.type is not None and found.device.healthy:
            by_type.setdefault(found.type.name, []).append(found.device.index)
    for name, indexes in sorted(by_type.items()):
        devices = tuple(sorted(indexes))
        nodes.append(
            Node(
                name=f"{host}-{name}", pool=name, engine=engine, type=name, accelerators=len(devices), devices=devices
            )
        )
    return nodes


def _refuse_unknown_engines(nodes: Sequence[Node], context: Context) -> None:
    for node in nodes:
        if node.engine not in context.engines:
            raise ValidationError(
                field=f"node.{node.name}.engine",
                value=node.engine,
                rule="an engine of this control plane",
                remedy=f"Use one of {', '.join(context.engines)}.",
            )
        if context.engines[node.engine].nodes() != ():
            raise ValidationError(
                field=f"node.{node.name}.engine",
                value=node.engine,
                rule="this engine finds its nodes, they are not declared",
                remedy="Leave the node out of the fleet file.",
            )


def _own(data_dir: Path) -> int:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ValidationError(
            field="data-dir",
            value=str(data_dir),
            rule=f"a directory this process can write to ({error.strerror})",
            remedy="Choose another with --data-dir.",
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise ConflictError(
            field="data-dir",
            value=str(data_dir),
            rule="one control plane a data directory",
            remedy="Stop the other one, or choose another directory.",
        ) from None
    return lock
