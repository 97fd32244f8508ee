"""What must hold at the end, each by name, judged by what the running system said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from petahour.cli.demo.books import Printed
from petahour.cli.demo.story import Seen, losses
from petahour.cli.demo.tenants import BROKEN, CALIBRATION, CHAR_LM, EVALUATION, FINE_TUNE, SPOT, URGENT
from petahour.client.statements import Audit, Balance, Conservation, Invoice

_SAVED = re.compile(r"saved\b.*?\bstep[ =:]+(\d+)")
_RESUMED = re.compile(r"resum\w*\b.*?\bstep[ =:]+(\d+)")
END_STATES = {
    CALIBRATION: "succeeded",
    CHAR_LM: "succeeded",
    SPOT: "succeeded",
    URGENT: "succeeded",
    EVALUATION: "succeeded",
    FINE_TUNE: "succeeded",
    BROKEN: "failed",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """A promise of the demonstration, whether it was kept, and what was found."""

    name: str
    ok: bool
    found: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Accounts:
    """The books at the end; invoices and balances in the order of the tenants."""

    invoices: tuple[Invoice, ...]
    balances: tuple[Balance, ...]
    conservation: Conservation
    audit: Audit


def judge(seen: Seen, accounts: Accounts, printed: Printed) -> list[Expectation]:
    """Every expectation, in the order of the story."""
    return [
        *_of_jobs(seen),
        *_of_training(seen),
        *_of_preemption(seen),
        *_of_quote(seen),
        *_of_money(seen, accounts),
        *_of_invoices(accounts, printed),
    ]


def _of_jobs(seen: Seen) -> Iterator[Expectation]:
    states = {name: job.state for name, job in seen.jobs.items()}
    yield _expect("every job ended as it should", states == END_STATES and not seen.timed_out, _pairs(states))
    refused = seen.refused
    fine = refused is not None and refused.status == 422 and refused.slug == "impossible" and bool(refused.remedy)
    yield _expect("the job that can never fit was refused", fine, str(refused))
    waited = next(
        (seen.waited[job.id] for job in seen.jobs.values() if job.name == EVALUATION and job.id in seen.waited), ""
    )
    yield _expect("the job that had to wait said why", bool(waited), waited or "it gave no reason")
    broken = seen.jobs.get(BROKEN)
    fine = broken is not None and broken.attempt == 2 and broken.exit_code not in (0, None) and bool(broken.message)
    yield _expect("the failing job was retried once and says how it failed", fine, broken.message if broken else "")


def _of_training(seen: Seen) -> Iterator[Expectation]:
    for name in (CHAR_LM, SPOT, EVALUATION, FINE_TUNE, URGENT):
        job = seen.jobs.get(name)
        attempts = range(1, job.attempt + 1) if job else ()
        found = [loss for attempt in attempts for _, loss in losses(seen.logs.get((name, attempt), ""))]
        fine = len(found) >= 3 and found[-1] < found[0]
        yield _expect(f"the loss of {name} falls", fine, f"{found[0]} to {found[-1]}" if found else "no loss printed")


def _of_preemption(seen: Seen) -> Iterator[Expectation]:
    spot = seen.jobs.get(SPOT)
    causes = [item.stop_cause for item in spot.allocations] if spot else []
    fine = spot is not None and spot.preemptions == 1 and causes == ["preempted", None]
    yield _expect("the spot job was preempted by the gang", fine, f"attempts stopped by {causes}")
    steps = [f"{step.before}>{step.after}" for step in spot.history] if spot else []
    fine = {"running>stopping", "stopping>preempted", "preempted>queued"} <= set(steps)
    yield _expect("its history has every step of that", fine, " ".join(steps))
    saved, resumed = saved_step(seen), resumed_step(seen)
    fine = saved is not None and saved == resumed
    yield _expect("it resumed at the step it saved", fine, f"saved at {saved}, resumed at {resumed}")


def _of_quote(seen: Seen) -> Iterator[Expectation]:
    """The training cost what it was quoted for: its charge lies within the interval that was promised."""
    job, quote = seen.jobs.get(CHAR_LM), seen.quote
    outcomes = seen.accuracy.outcomes if seen.accuracy else ()
    outcome = next((one for one in outcomes if job is not None and one.job == job.id), None)
    price = quote.lines[0].price(quote.tier) if quote is not None else None
    if outcome is None or price is None:
        yield _expect("the quoted training was charged within its quote", False, "no outcome")
        return
    total = price.total_micros
    found = f"charged {outcome.charged_micros}, quoted {total.low} to {total.high} micro-units"
    fine = outcome.within and total.low <= outcome.charged_micros <= total.high
    yield _expect("the quoted training was charged within its quote", fine, found)


def saved_step(seen: Seen) -> int | None:
    """The step of the last checkpoint before the preemption."""
    found = _SAVED.findall(seen.logs.get((SPOT, 1), ""))
    return int(found[-1]) if found else None


def resumed_step(seen: Seen) -> int | None:
    """The step that the second attempt says it goes on from."""
    found = _RESUMED.findall(seen.logs.get((SPOT, 2), ""))
    return int(found[0]) if found else None


def _of_money(seen: Seen, accounts: Accounts) -> Iterator[Expectation]:
    for invoice, balance in zip(accounts.invoices, accounts.balances, strict=True):
        total = sum(line.amount_micros for line in invoice.lines)
        fine = total == invoice.total_micros > 0
        yield _expect(f"the lines of {invoice.tenant}'s invoice sum to its total", fine, f"{total} micro-units")
        left = invoice.opening_micros + invoice.topups_micros + invoice.settled_micros - invoice.total_micros
        fine = left == invoice.closing_micros == balance.posted_micros and balance.held_micros == 0
        yield _expect(f"{invoice.tenant}'s credit is what was paid less the invoice", fine, f"{left} micro-units")
        rehearsed = {line.type for line in invoice.rehearsal_lines}
        fine = bool(rehearsed) and {line.type for line in invoice.lines} == {"cpu"} and "cpu" not in rehearsed
        yield _expect(
            f"{invoice.tenant} pays for real chips only", fine, f"rehearsed: {', '.join(sorted(rehearsed))}"
        )
    sums = accounts.conservation
    parts = sums.billed + sums.waived + sums.open + sums.idle + sums.down
    fine = sums.ok and parts == sums.capacity and sums.open == 0
    yield _expect(
        "billed + waived + idle + down = capacity", fine, "; ".join(sums.faults) or f"{parts} = {sums.capacity}"
    )
    broken = [f"{check.name}: {check.detail}" for check in accounts.audit.checks if not check.ok]
    fine = accounts.audit.ok and bool(accounts.audit.checks)
    yield _expect("the audit holds", fine, "; ".join(broken) or f"{len(accounts.audit.checks)} checks")


def _of_invoices(accounts: Accounts, printed: Printed) -> Iterator[Expectation]:
    for invoice in accounts.invoices:
        made = [item for item in printed.documents if item.tenant == invoice.tenant]
        exact = sum(item.exact_micros for item in made)
        net = sum(line.amount_micros for item in made for line in item.lines)
        fine = bool(made) and exact == invoice.total_micros and net == sum(item.net_micros for item in made)
        yield _expect(f"{invoice.tenant}'s issued invoice bills what the ledger says", fine, f"{exact} micro-units")
        fine = bool(made) and all(item.state == "paid" and item.due_micros == 0 for item in made)
        yield _expect(f"{invoice.tenant}'s credit covers it with its tax", fine, ", ".join(i.state for i in made))
    fine = len(printed.files) == 2 * len(printed.documents) > 0 and all(file.is_file() for file in printed.files)
    yield _expect("every invoice is printed in two languages", fine, f"{len(printed.files)} files")


def _expect(name: str, ok: bool, found: str) -> Expectation:
    return Expectation(name=name, ok=ok, found=found)


def _pairs(states: dict[str, str]) -> str:
    return ", ".join(f"{name} {state}" for name, state in states.items())
