"""The demonstration from beginning to end."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from petahour.cli.demo.books import close_and_print
from petahour.cli.demo.expectations import Accounts, judge
from petahour.cli.demo.fleet import fleet_of
from petahour.cli.demo.plane import Plane, control_plane
from petahour.cli.demo.report import report_json, show_report
from petahour.cli.demo.stage import LineStage, LiveStage
from petahour.cli.demo.story import Seen, play
from petahour.cli.options import EngineName
from petahour.cli.render import console, show_json
from petahour.cli.session import month_or_this
from petahour.client import Client
from petahour.model.errors import ValidationError


def run_demo(data_dir: Path | None, *, keep: bool, as_json: bool, engine: EngineName) -> bool:
    """Play, show, and say whether every expectation held."""
    begun_s, begun_in = time.monotonic(), month_or_this(None)
    screen = console(stderr=as_json)
    with _working_directory(data_dir, keep=keep, screen=screen) as directory, _signals_as_interrupts():
        with fleet_of(engine, directory) as fleet, control_plane(directory, fleet) as plane:
            screen.print(f"A control plane serves {plane.url}, data in {directory}", soft_wrap=True, markup=False)
            with Client(plane.url, plane.key) as operator:
                seen = _play(operator, plane, screen)
                accounts, invoices = _look_at_books(operator, seen)
        printed = close_and_print(directory, seen.renters, (begun_in, month_or_this(None)))
        expectations = judge(seen, accounts, printed)
        wall_s = time.monotonic() - begun_s
        if as_json:
            show_json(report_json(seen, accounts, printed, expectations, wall_s=wall_s))
        else:
            show_report(seen, accounts, invoices, printed, expectations, wall_s=wall_s)
        for item in expectations:
            if as_json and not item.ok:
                screen.print(f"BROKEN  {item.name}: {item.found}", soft_wrap=True, markup=False)
    return all(item.ok for item in expectations)


def _play(operator: Client, plane: Plane, screen: Console) -> Seen:
    if not screen.is_terminal:
        return play(operator, plane.url, plane.cpus, LineStage(screen))
    with LiveStage(screen) as stage:
        return play(operator, plane.url, plane.cpus, stage)


def _look_at_books(operator: Client, seen: Seen) -> tuple[Accounts, list[str]]:
    """Invoices (also as text), balances, conservation and audit, once all jobs are over."""
    month = month_or_this(None)
    names = [renter.tenant for renter in seen.renters]
    texts = [operator.invoice_text(name, month) for name in names]
    accounts = Accounts(
        invoices=tuple(operator.invoice(name, month) for name in names),
        balances=tuple(operator.balance(name) for name in names),
        conservation=operator.conservation(),
        audit=operator.audit(),
    )
    return accounts, texts


@contextmanager
def _working_directory(data_dir: Path | None, *, keep: bool, screen: Console) -> Iterator[Path]:
    if data_dir is not None:
        yield _empty(data_dir)
        return
    made = Path(tempfile.mkdtemp(prefix="petahour-demo-"))
    try:
        yield made
    finally:
        if keep:
            screen.print(f"Kept in {made}", soft_wrap=True, markup=False)
        else:
            screen.print("Removed with all its files; --data-dir or --keep keeps them.", soft_wrap=True, markup=False)
            shutil.rmtree(made, ignore_errors=True)


def _empty(directory: Path) -> Path:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        used = next(directory.iterdir(), None) is not None
    except OSError as error:
        raise ValidationError(
            field="data-dir",
            value=str(directory),
            rule=f"a directory this process can make ({error.strerror})",
            remedy="Choose another with --data-dir.",
        ) from None
    if used:
        raise ValidationError(
            field="data-dir",
            value=str(directory),
            rule="an empty directory, as the demonstration begins from nothing",
            remedy="Choose another, or leave it out.",
        )
    return directory.resolve()


@contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """SIGTERM and SIGHUP end the demonstration as Ctrl-C does: in order."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
