"""The demonstration's judgement: what it would say if the system had not done as it should."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.cli.conftest import Run
from tests.unit.client.answering import job_detail

from petahour.cli.demo.books import Printed
from petahour.cli.demo.expectations import Accounts, judge, resumed_step, saved_step
from petahour.cli.demo.story import Seen, losses
from petahour.cli.demo.tenants import CHAR_LM, SPOT
from petahour.client.decode import decode
from petahour.client.statements import Audit, AuditCheck, Balance, CapacitySums, Conservation, Invoice, InvoiceLine
from petahour.client.types import JobDetail
from petahour.model.invoices import DocumentKind, InvoiceDocument, InvoiceState, Party

LOG = (
    "starting fresh\nstep 5/120 loss 3.1558 (1 ranks)\nstep 10/120 loss 2.91 (1 ranks)\ncheckpoint saved at step 17\n"
)


def test_losses_and_steps_are_read_from_what_jobs_print() -> None:
    assert losses(LOG) == [(5, 3.1558), (10, 2.91)]
    seen = Seen(logs={(SPOT, 1): LOG, (SPOT, 2): "resumed at step 17 from checkpoint\n"})
    assert saved_step(seen) == resumed_step(seen) == 17
    assert saved_step(Seen()) is None


def test_nothing_seen_breaks_every_expectation_of_the_jobs() -> None:
    verdict = judge(Seen(), _accounts(total=100, left=900), _printed(0))
    broken = {item.name for item in verdict if not item.ok}
    assert len(broken) == 15
    assert "the spot job was preempted by the gang" in broken
    assert "it resumed at the step it saved" in broken


@pytest.mark.parametrize(
    ("accounts", "name"),
    [
        ({"total": 101, "left": 899}, "the lines of acme's invoice sum to its total"),
        ({"total": 100, "left": 901}, "acme's credit is what was paid less the invoice"),
        ({"type_": "a100-80g-sxm"}, "acme pays for real chips only"),
        ({"idle": 6}, "billed + waived + idle + down = capacity"),
        ({"audit": False}, "the audit holds"),
    ],
)
def test_books_that_do_not_add_up_are_named(accounts: dict[str, object], name: str) -> None:
    def broken_money(books: Accounts) -> set[str]:
        return {
            item.name
            for item in judge(Seen(), books, _printed(books.invoices[0].total_micros))
            if not item.ok and item.name in known
        }

    known = {item.name for item in judge(Seen(), _accounts(), _printed(100))} - {
        item.name for item in judge(Seen(), _no_tenants(), _printed(0))
    }
    known |= {"billed + waived + idle + down = capacity", "the audit holds"}
    assert broken_money(_accounts()) == set()
    assert broken_money(_accounts(**accounts)) == {name}  # type: ignore[arg-type]


@pytest.mark.parametrize(("last", "ok"), [("2.0", True), ("3.3", False)])
def test_a_loss_that_rises_is_told(last: str, ok: bool) -> None:
    job = decode(JobDetail, job_detail(attempt=1, name=CHAR_LM))
    seen = Seen(jobs={CHAR_LM: job}, logs={(CHAR_LM, 1): LOG + f"step 20/120 loss {last} (1 ranks)\n"})
    told = next(
        item for item in judge(seen, _accounts(), _printed(100)) if item.name == f"the loss of {CHAR_LM} falls"
    )
    assert told.ok is ok
    assert told.found == f"3.1558 to {last}"


def test_a_broken_demonstration_ends_with_1(petahour: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("petahour.cli.demo.run.run_demo", lambda *_, **__: False)
    assert petahour("demo").code == 1


def test_a_directory_in_use_is_refused(petahour: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    done = petahour("demo", "--data-dir", str(tmp_path))
    assert done.code == 3
    assert "an empty directory" in done.err
    assert (tmp_path / "mine").exists()


def _printed(exact: int) -> Printed:
    """Acme's issued invoice, settled, as the ledger has it; its files are missing."""
    document = InvoiceDocument(
        id="inv-acme",
        kind=DocumentKind.INVOICE,
        tenant="acme",
        month="2026-03",
        from_ms=0,
        to_ms=1,
        currency="CNY",
        seller=Party(name="S"),
        buyer=Party(name="B"),
        lines=(),
        net_micros=0,
        exact_micros=exact,
        tax_name="VAT",
        tax_rate_ppm=0,
        tax_micros=0,
        prepaid_micros=0,
        state=InvoiceState.PAID,
    )
    return Printed(documents=(document,), files=(), closed_at="")


def _accounts(
    *, total: int = 100, left: int = 900, type_: str = "cpu", idle: int = 5, audit: bool = True
) -> Accounts:
    line = InvoiceLine(
        project="p",
        type=type_,
        tier="spot",
        accelerator_ms=1,
        price_min_micros=1,
        price_max_micros=1,
        amount_micros=100,
    )
    rehearsed = InvoiceLine(
        project="p",
        type="ascend-910b3",
        tier="spot",
        accelerator_ms=1,
        price_min_micros=1,
        price_max_micros=1,
        amount_micros=7,
    )
    invoice = Invoice(
        number="1",
        tenant="acme",
        title="Acme",
        month="2026-03",
        from_ms=0,
        to_ms=1,
        generated_ms=0,
        closed=False,
        currency="CNY",
        lines=(line,),
        total_micros=total,
        waived_ams=0,
        rehearsal_lines=(rehearsed,),
        rehearsal_total_micros=7,
        opening_micros=0,
        topups_micros=1_000,
        closing_micros=left,
        held_micros=0,
    )
    balance = Balance(tenant="acme", currency="CNY", posted_micros=left, held_micros=0, available_micros=left)
    return Accounts(invoices=(invoice,), balances=(balance,), conservation=_sums(idle), audit=_audit(audit))


def _no_tenants() -> Accounts:
    return Accounts(invoices=(), balances=(), conservation=_sums(5), audit=_audit(True))


def _sums(idle: int) -> Conservation:
    none = CapacitySums(billed=0, waived=0, open=0, idle=0, down=0, capacity=0)
    return Conservation(
        billed=5, waived=0, open=0, idle=idle, down=0, capacity=10, ok=True, rehearsal=none, faults=(), cells=()
    )


def _audit(ok: bool) -> Audit:
    return Audit(ok=ok, checks=(AuditCheck(name="debits equal credits", ok=ok, detail=""),))
