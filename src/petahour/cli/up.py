"""`petahour up`: assemble a control plane of its parts and serve it until told to stop."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petahour.cli.options import EngineName
from petahour.model.errors import ValidationError
from petahour.model.time import SECOND_MS

if TYPE_CHECKING:
    from petahour.cli.assembly import Assembly

DEFAULT_PORT = 7420


class LogLevel(StrEnum):
    """Weights of what the log tells."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def up(
    data_dir: Annotated[Path, typer.Option(help="Where the database, logs and projects live.")] = Path(
        "petahour-data"
    ),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = DEFAULT_PORT,
    database_url: Annotated[
        str | None, typer.Option(envvar="PETAHOUR_DATABASE_URL", help="PostgreSQL instead of SQLite.")
    ] = None,
    fleet: Annotated[Path | None, typer.Option(help="fleet.toml with further nodes.")] = None,
    prices: Annotated[Path | None, typer.Option(help="Price books; sample prices without it.")] = None,
    catalog: Annotated[
        Path | None, typer.Option(envvar="PETAHOUR_CATALOG", help="An overlay for the accelerator catalogue.")
    ] = None,
    cpus: Annotated[
        int | None,
        typer.Option(min=0, max=1024, help="How many cpu accelerators to rent; this host's cores without it."),
    ] = None,
    engine: Annotated[EngineName, typer.Option(help="What runs jobs: this host alone, or Slurm's nodes.")] = (
        EngineName.LOCAL
    ),
    slurm: Annotated[Path, typer.Option(help="With --engine slurm: partition, GRES and transport.")] = Path(
        "slurm.toml"
    ),
    slurm_conf: Annotated[
        Path | None, typer.Option(help="With --engine slurm: slurm.conf, where it is not in Slurm's own place.")
    ] = None,
    replica: Annotated[
        str | None,
        typer.Option(help="With PostgreSQL: this process's name among replicas, of which one leads."),
    ] = None,
    lease: Annotated[
        float, typer.Option(min=1, max=60, help="With PostgreSQL: seconds that a lead holds without being renewed.")
    ] = 5.0,
    policy: Annotated[str, typer.Option(help="Who goes first, and where; see the guide to policies.")] = "petahour",
    smtp: Annotated[
        str | None,
        typer.Option(envvar="PETAHOUR_SMTP_URL", help="Mail server, such as smtp+starttls://user:password@host:587."),
    ] = None,
    mail_from: Annotated[str, typer.Option(help="The sender of e-mails.")] = "petahour@localhost",
    operator_key_file: Annotated[
        Path | None, typer.Option(help="Write the first operator's key here (mode 0600) instead of printing it.")
    ] = None,
    ready_file: Annotated[Path | None, typer.Option(help="Write url and pid here as JSON once serving.")] = None,
    log_level: Annotated[LogLevel, typer.Option(help="From which weight on the log tells.")] = LogLevel.INFO,
) -> None:
    """Run the control plane: HTTP API and control loop in one process.

    SIGTERM or Ctrl-C stops it cleanly; jobs run on and are taken up at the next start.
    """
    from petahour.cli.assembly import assemble
    from petahour.cli.place import ReplicaOptions
    from petahour.cli.slurm_assembly import SlurmFiles

    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("alembic", "httpx", "weasyprint", "fontTools"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    listener = _listen(host, port)
    url = f"http://{host}:{listener.getsockname()[1]}"
    assembly = assemble(
        data_dir=data_dir,
        database_url=database_url,
        fleet_file=fleet,
        prices_file=prices,
        catalog_file=catalog,
        cpus=cpus,
        policy=policy,
        slurm=SlurmFiles(settings=slurm, conf=slurm_conf) if engine is EngineName.SLURM else None,
        smtp_url=smtp,
        mail_from=mail_from,
        replica=ReplicaOptions(name=replica, ttl_ms=round(lease * SECOND_MS), url=url),
    )
    try:
        _show_key(assembly.operator_key, operator_key_file)
        _serve(assembly, listener, url, ready_file)
    finally:
        assembly.close()


def _serve(assembly: Assembly, listener: socket.socket, url: str, ready_file: Path | None) -> None:
    import uvicorn

    from petahour.server.app import create_app

    app = create_app(assembly.context)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=5)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            assembly.start()
            follows = assembly.context.leadership.epoch is None
            role = " and follows the replica that leads" if follows else ""
            typer.echo(f"Petahour serves {url}{role} (API page: {url}/docs)")
            if ready_file is not None:
                _write_whole(ready_file, json.dumps({"url": url, "pid": os.getpid()}))

    server = Server(config)

    def stop(number: int, _: object) -> None:
        server.should_exit = True

    # The server raises the signal that stopped it once more when it has shut down. Without a handler that would
    # end the process before the loop, the engine and the store are closed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server.run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        raise ValidationError(
            field="port",
            value=f"{host}:{port}",
            rule=f"an address this process can listen on ({error.strerror})",
            remedy="Choose another with --host or --port; --port 0 takes a free one.",
        ) from None
    return listener


def _show_key(key: str | None, path: Path | None) -> None:
    if key is None:
        return
    if path is None:
        typer.echo(f"The operator's API key, shown this once: {key}")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key + "\n")


def _write_whole(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)
