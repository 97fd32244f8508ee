"""Assembly: which parts make this control plane. The only place that chooses them."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from petahour.catalog import Catalog, load_catalog
from petahour.cli.place import Place, ReplicaOptions, leadership_of, own_place
from petahour.cli.slurm_assembly import SlurmFiles, slurm_engine, slurm_settings
from petahour.control.clock import SystemClock
from petahour.control.context import Context
from petahour.control.duty import Duty
from petahour.control.fleet_file import read_fleet
from petahour.control.ids import RandomIds
from petahour.control.keys import first_operator
from petahour.control.leadership import Alone, LeasedLeadership
from petahour.control.live import LiveState
from petahour.control.loop import ControlLoop
from petahour.control.notices.mail import mail_server
from petahour.control.prices import load_price_books
from petahour.control.publish import adopt_books
from petahour.control.settings import Settings
from petahour.engines.crew import AtRest, Crew
from petahour.engines.local.engine import LocalEngine
from petahour.engines.protocol import Engine
from petahour.engines.slurm.settings import SlurmSettings
from petahour.model.errors import ValidationError
from petahour.model.resources import CPU, Node
from petahour.scheduler.policies import PETAHOUR, policy_named
from petahour.store.sql.store import SqlStore, open_store, sqlite_url
from petahour.vendors import host_cpus, probe_all

log = logging.getLogger("petahour")

LOCAL, SLURM = "local", "slurm"


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """The assembled parts, to be closed in order."""

    context: Context
    loop: ControlLoop
    leased: LeasedLeadership | None
    store: SqlStore
    place: Place
    operator_key: str | None

    def start(self) -> None:
        """Renew the lease, and step."""
        if self.leased is not None:
            self.leased.start(self.loop.wake)
        self.loop.start()

    def close(self) -> None:
        """Stop stepping, let go of the engines, the lease and the store. What runs keeps running."""
        self.loop.stop()
        if self.leased is not None:
            self.leased.stop()
        self.store.close()
        self.place.close()


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
    replica: ReplicaOptions | None = None,
) -> Assembly:
    """Build everything, migrate, create the operator on the first start; lead, unless another replica does.

    Raises ConflictError when another control plane already uses the data directory or the database.
    """
    _refuse_oracle(policy)
    mail = mail_server(smtp_url, mail_from) if smtp_url else None
    replica = replica or ReplicaOptions()
    place = own_place(data_dir.resolve(), replica, database_url)
    known = load_catalog(catalog_file)
    prices = load_price_books(known, prices_file)
    declared = read_fleet(fleet_file, known) if fleet_file else ()
    store = open_store(database_url or sqlite_url(place.data_dir / "petahour.db"))
    clock = SystemClock()
    with store.read() as tx:
        clock.not_before(tx.events.latest_ms())
    prices = adopt_books(store, prices, clock.now_ms(), sample=prices_file is None)
    crew = _crew(place.data_dir, clock, None if slurm is None else slurm_settings(slurm, known))
    _refuse_unknown_engines(declared, crew)
    # A host that drives Slurm rents nothing of its own unless told to: it may be one of Slurm's nodes.
    own = host_nodes(known, cpus, LOCAL) if slurm is None or cpus else []
    nodes = [*own, *declared]
    leased = leadership_of(store, place, replica, runs_here=any(node.engine == LOCAL for node in nodes))
    context = Context(
        store=store,
        engines=crew,
        catalog=known,
        prices=prices,
        clock=clock,
        ids=RandomIds(),
        live=LiveState(policy),
        data_dir=place.data_dir,
        settings=Settings(),
        leadership=leased or Alone(),
    )
    duty = Duty(crew=crew, clock=clock, nodes=nodes, found_later=frozenset(crew) - {LOCAL}, mail=mail)
    loop = ControlLoop(context, context.leadership, duty)
    crew.subscribe(loop.wake)
    context = replace(context, wake=loop.wake)
    key = first_operator(context)
    if leased is not None:
        leased.enter()
    loop.take_stock()
    if context.leadership.epoch is None:
        context.live.refresh(store, context.settings)
    return Assembly(context=context, loop=loop, leased=leased, store=store, place=place, operator_key=key)


def _crew(data_dir: Path, clock: SystemClock, slurm: SlurmSettings | None) -> Crew:
    here, there = data_dir / "engine", data_dir / SLURM
    engines: dict[str, tuple[AtRest, Callable[[], Engine]]] = {
        LOCAL: (AtRest(LOCAL, here, nodes=()), lambda: LocalEngine(here, clock_ms=clock.now_ms))
    }
    if slurm is not None:
        engines[SLURM] = (AtRest(SLURM, there, nodes=None), lambda: slurm_engine(there, slurm, clock))
    return Crew(engines)


def _refuse_oracle(policy: str) -> None:
    """Raises ValidationError for a policy that knows what nobody on a floor can, or that there is not."""
    if policy_named(policy).oracle:
        raise ValidationError(
            field="policy",
            value=policy,
            rule="a policy that needs to know no run times; this one is a bound for replays",
            remedy='Choose another, such as "petahour".',
        )


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


def _refuse_unknown_engines(nodes: Sequence[Node], crew: Crew) -> None:
    for node in nodes:
        if node.engine not in crew:
            raise ValidationError(
                field=f"node.{node.name}.engine",
                value=node.engine,
                rule="an engine of this control plane",
                remedy=f"Use one of {', '.join(crew)}.",
            )
        if crew[node.engine].nodes() != ():
            raise ValidationError(
                field=f"node.{node.name}.engine",
                value=node.engine,
                rule="this engine finds its nodes, they are not declared",
                remedy="Leave the node out of the fleet file.",
            )
