"""How quotes, their outcomes and measured throughputs are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import typer

from petahour.cli.render import Column, brief, instant, make_table, money, print_plain, show_facts, show_table
from petahour.client.quotes import (
    Choice,
    JobThroughput,
    Quote,
    QuoteAccuracy,
    QuotedStart,
    QuoteLine,
)
from petahour.model.money import MICROS
from petahour.model.quotes import Interval, QuotedJob
from petahour.model.time import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

PLAN_WIDTH = 24
MOST_PLAN_LINES = 6
STEP = 0.55  # choices less apart in time than this are not listed one below the other
SIDE_BY_SIDE = 4  # types in one table; more come below


def show_quote(quote: Quote, now_ms: int) -> None:
    """The comparison: one column a type, the best first, and below it why others are not offered."""
    expired = _expired(quote, now_ms)
    typer.echo(f"QUOTE  {quote.id or '(not kept)'}")
    typer.echo(f"{quote.work}: " + ", ".join(f"{value}" for value in quote.about.values()))
    if quote.id:
        valid = "EXPIRED at" if expired else "valid until"
        typer.echo(f"for {quote.tenant}, {_objective(quote)}, {valid} {instant(quote.valid_until_ms)}")
    else:
        typer.echo(_objective(quote))
    for first in range(0, len(quote.lines), SIDE_BY_SIDE):
        typer.echo()
        _show_lines(quote, quote.lines[first : first + SIDE_BY_SIDE])
    _show_choices(quote)
    for refused in quote.refused:
        typer.echo(f"\nNot quoted: {refused.type}: {refused.reason}")
    notes: dict[str, list[str]] = {}
    for line in quote.lines:
        never = None if line.start is None else line.start.never
        for note in (*line.notes, *(() if never is None else (f"it cannot start: {never}",))):
            notes.setdefault(note, []).append(line.type)
    for note, types in notes.items():
        typer.echo(f"\n{', '.join(types)}: {note}")
    counted = [_counted(line) for line in quote.lines]
    for hosts, building in sorted({one for one in counted if one is not None}):
        typer.echo(
            f"\nEnergy counts hosts, network and fans (x {hosts:.3g}) and the building (PUE, x {building:.3g})."
        )
    if quote.job:
        typer.echo(f"\nSubmitted as {quote.job}")
    elif expired:
        typer.echo("\nIt has expired; ask for a new one.")
    elif quote.id and any(line.nodes for line in quote.lines):
        typer.echo(f"\nSubmit it with: petahour submit --quote {quote.id} -- COMMAND")


def show_quotes(quotes: Sequence[Quote], now_ms: int) -> None:
    """One line a quote: its best offer and what became of it."""
    columns = (
        *(Column(title=title) for title in ("ID", "MADE", "TENANT", "WORK", "BEST")),
        *(Column(title=title, right=True) for title in ("RUNS", "PRICE")),
        *(Column(title=title) for title in ("VALID UNTIL", "JOB")),
    )
    rows = [
        (
            quote.id,
            brief(quote.created_ms),
            quote.tenant,
            quote.work,
            f"{quote.lines[0].accelerators} x {quote.lines[0].type}" if quote.lines else None,
            span(quote.lines[0].run_ms.expected) if quote.lines else None,
            _total(quote, quote.lines[0], quote.tier) if quote.lines else None,
            ("expired " if _expired(quote, now_ms) else "") + brief(quote.valid_until_ms),
            quote.job,
        )
        for quote in quotes
    ]
    show_table(columns, rows, empty="No quotes.")


def show_accuracy(found: QuoteAccuracy) -> None:
    """Quoted beside measured and charged, and what that says together."""
    columns = (
        *(Column(title=title) for title in ("QUOTE", "JOB", "WORK", "ON")),
        *(Column(title=title, right=True) for title in ("QUOTED", "80 % WITHIN", "RAN", "ERROR")),
        Column(title="HELD"),
        *(Column(title=title, right=True) for title in ("PRICE", "CHARGED", "CORRECTED")),
    )
    rows = [
        (
            one.quote,
            one.job,
            one.work,
            f"{one.accelerators} x {one.type}",
            span(one.quoted_ms.expected),
            _range(one.quoted_ms),
            span(one.run_ms),
            None if one.set_aside else f"{one.error:+.1%}",
            "set aside" if one.set_aside else "yes" if one.within else "no",
            None if one.quoted_micros is None else money(one.quoted_micros, one.currency),
            money(one.charged_micros, one.currency),
            _correction(one.correction, one.own_runs),
        )
        for one in found.outcomes
    ]
    show_table(columns, rows, empty="No job under a quote has succeeded yet.")
    aside: dict[str, list[str]] = {}
    for one in found.outcomes:
        if one.set_aside is not None:
            aside.setdefault(one.set_aside, []).append(one.job)
    for reason, jobs in aside.items():
        typer.echo(f"\nSet aside, counted in no mean and not learned from: {', '.join(jobs)}: {reason}.")
    if found.mape is not None and found.bias is not None and found.coverage is not None:
        compared = sum(1 for one in found.outcomes if one.set_aside is None)
        typer.echo(
            f"\nRuns compared: {compared}. Mean error {found.mape:.1%}, bias {found.bias:+.1%}; "
            f"{found.coverage:.0%} within their interval (80 % are promised)."
        )
    if found.waiting or found.other:
        typer.echo(f"{found.waiting} more run or wait; {found.other} did not succeed on one type, and do not count.")


def quoted_facts(quoted: QuotedJob | None, *, over: bool) -> list[tuple[str, object]]:
    """What was quoted of a job beside what it took, for ``describe``."""
    if quoted is None:
        return []
    part = quoted.ran_ms / quoted.run_ms.expected
    told: list[tuple[str, object]] = [("quote", f"{quoted.quote}, {quoted.accelerators} x {quoted.type}")]
    if quoted.price_book is not None and quoted.promised_ms is not None:
        promised = f"{quoted.price_book} for {span(quoted.promised_ms)} of running time"
        told.append(("promised prices", f"book {promised}"))
    runs, total = f"{span(quoted.run_ms.expected)} ({_range(quoted.run_ms)})", quoted.total_micros
    if total is not None:
        runs += f", {_amount(total.expected)} {quoted.currency} ({_amount(total.low)} - {_amount(total.high)})"
    spent = "" if quoted.currency is None else f", {_amount(quoted.spent_micros)} {quoted.currency}"
    return [
        *told,
        ("quoted", f"{runs} in 80 % of cases"),
        ("it took" if over else "so far", f"{span(quoted.ran_ms)}{spent}, {part:.0%} of the time quoted"),
    ]


def show_throughput(found: JobThroughput) -> None:
    """What a calibration run told, and how to quote from it."""
    show_facts(
        [
            ("calibration", found.job),
            ("on", f"{found.accelerators} x {found.type}"),
            ("throughput", f"{found.rate:,.4g} {found.unit}/s"),
            ("spread", f"{found.spread:.1%} between {found.stretches} stretches"),
            ("set-up", f"{found.set_up_s:.1f} s of the run's {found.run_ms / SECOND_MS:.1f} s"),
            ("power", _power(found)),
            (
                "not understood",
                f"{found.unread} lines, the first is {found.first_unread!r}" if found.unread else None,
            ),
        ]
    )
    typer.echo(f"\nQuote with: petahour quote --measured {found.job} --amount NUMBER_OF_{found.unit.upper()}")


def _power(found: JobThroughput) -> str | None:
    if found.power_w is None:
        return None if found.power_unknown is None else f"not known: {found.power_unknown}"
    by = "" if found.power_by is None else f", read by {found.power_by}"
    return f"{found.power_w:,.0f} W per accelerator{by}"


def span(time_ms: float) -> str:
    """A duration in the unit that people would say it in: ``23.4 days``, ``5.2 h``, ``3.1 min``, ``12 s``."""
    for unit_ms, name, from_ms in (
        (DAY_MS, "days", 2 * DAY_MS),
        (HOUR_MS, "h", 2 * HOUR_MS),
        (MINUTE_MS, "min", 2 * MINUTE_MS),
    ):
        if time_ms >= from_ms:
            return f"{_digits(time_ms / unit_ms)} {name}"
    return f"{_digits(time_ms / SECOND_MS)} s"


def _show_lines(quote: Quote, lines: Sequence[QuoteLine]) -> None:
    columns = [Column(title=""), *(Column(title=line.type, right=True) for line in lines)]
    told = [dict(_told(quote, line)) for line in lines]
    names = list(dict.fromkeys(name for facts in told for name in facts))
    # What none of them has is left out; what one lacks shows as a dash.
    rows = [
        # A name of blanks goes on with the line above.
        (name, *(facts.get(name) or (None if name.strip() else "") for facts in told))
        for name in names
        if any(facts.get(name) for facts in told)
    ]
    print_plain(make_table(columns, rows))


def _show_choices(quote: Quote) -> None:
    """Time against price: the gang sizes that no other one beats in both."""
    rows = [
        (
            line.type if place == 0 else "",
            f"{choice.accelerators:,}",
            span(choice.run_ms),
            _digits(choice.run_ms * choice.accelerators / HOUR_MS),
            _cost(quote, line, choice),
            "quoted" if choice.accelerators == line.accelerators else "",
        )
        for line in quote.lines
        for place, choice in enumerate(_apart(line))
    ]
    if rows:
        typer.echo("\nOther numbers of accelerators, none of them beaten in both time and price (--json has all):")
        titles = ("ACCELERATORS", "RUNS FOR", "ACCELERATOR-HOURS", "PRICE")
        columns = [Column(title="TYPE"), *(Column(title=title, right=True) for title in titles), Column(title="")]
        print_plain(make_table(columns, rows))


def _apart(line: QuoteLine) -> list[Choice]:
    """The choices that differ enough to be looked at side by side: the first, the quoted, the last, and steps."""
    shown: list[Choice] = []
    for choice in line.choices:
        wanted = choice.accelerators == line.accelerators or choice is line.choices[-1]
        if not shown or wanted or choice.run_ms <= STEP * shown[-1].run_ms:
            shown.append(choice)
    return shown


def _cost(quote: Quote, line: QuoteLine, choice: Choice) -> str | None:
    price = line.price(quote.tier)
    if price is None:
        return None
    return f"{_amount(price.price_micros * choice.run_ms * choice.accelerators // HOUR_MS)} {quote.currency}"


def _told(quote: Quote, line: QuoteLine) -> Iterator[tuple[str, str | None]]:
    yield "accelerators", f"{line.accelerators:,}"
    plan = _broken(line.plan)
    # As many lines for each type, so that the longest plan's stay together.
    for place in range(MOST_PLAN_LINES):
        yield " " * place or "plan", plan[place] if place < len(plan) else None
    yield "step", None if line.step_ms is None else span(line.step_ms)
    yield "runs for", span(line.run_ms.expected)
    yield "  80 % within", None if line.run_ms.low == line.run_ms.high else _range(line.run_ms)
    yield "accelerator-hours", _digits(line.accelerator_ms.expected / HOUR_MS)
    yield "petaFLOP-hours", None if line.petaflop_hours is None else _digits(line.petaflop_hours)
    yield "energy", _energy(line.energy_kwh)
    for price in line.prices:
        yield f"price, {price.tier}", _total(quote, line, price.tier)
        if price.tier == quote.tier and price.total_micros.low != price.total_micros.high:
            low, high = price.total_micros.low, price.total_micros.high
            yield "  80 % within ", f"{_amount(low)} - {_amount(high)}"
        if price.tier == quote.tier and line.petaflop_hours:
            yield "  per petaFLOP-hour", _amount(round(price.total_micros.expected / line.petaflop_hours))
    yield "expected start", _start(line.start, quote.created_ms)
    yield "memory used", None if line.memory_part is None else f"{line.memory_part:.0%}"
    yield "limited by", line.limit
    goodput = line.details.get("goodput")
    yield "time not lost to failures", None if goodput is None else f"{goodput:.0%}"
    yield "from own runs", _correction(line.correction, line.own_runs)


def _broken(plan: str) -> list[str]:
    """A plan in lines short enough to stand in a column."""
    lines: list[str] = []
    for part in plan.split(", "):
        fits = bool(lines) and len(lines[-1]) + len(part) < PLAN_WIDTH
        if lines and (fits or len(lines) == MOST_PLAN_LINES):
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return lines


def _start(start: QuotedStart | None, from_ms: int) -> str | None:
    if start is None:
        return None
    if start.never is not None:
        return "never, see below"
    if start.median_ms is None:
        return "later than foreseen"
    middle = _in(start.median_ms - from_ms)
    if start.earliest_ms is None or start.latest_ms is None or start.latest_ms - start.earliest_ms < SECOND_MS:
        return middle
    earliest = _in(start.earliest_ms - from_ms).removeprefix("in ")
    latest = span(start.latest_ms - from_ms)
    return middle if earliest == latest else f"{middle} ({earliest} - {latest})"


def _in(wait_ms: int) -> str:
    return "at once" if wait_ms < SECOND_MS else f"in {span(wait_ms)}"


def _total(quote: Quote, line: QuoteLine, tier: str) -> str | None:
    price = line.price(tier)
    return None if price is None else f"{_amount(price.total_micros.expected)} {quote.currency}"


def _amount(micros: int) -> str:
    """To the unit where that is precise enough: nobody quotes a million to the fen."""
    whole = micros / MICROS
    return f"{whole:,.0f}" if whole >= 1000 else f"{whole:,.4g}"


def _energy(kwh: float | None) -> str | None:
    if kwh is None:
        return None
    return f"{_digits(kwh / 1000)} MWh" if kwh >= 2000 else f"{_digits(kwh)} kWh"


def _correction(factor: float, runs: int) -> str | None:
    return f"x {factor:.3f} by {runs} run{'s' if runs > 1 else ''}" if runs else None


def _range(interval: Interval) -> str:
    low, high = span(interval.low), span(interval.high)
    number, unit = low.rsplit(" ", 1)
    return f"{number} - {high}" if high.endswith(f" {unit}") else f"{low} - {high}"


def _objective(quote: Quote) -> str:
    order = f"{quote.objective} first"
    if quote.deadline_ms is not None:
        order += f" of what is expected to run for {span(quote.deadline_ms)} at most"
    return f"{order}, at {quote.tier} prices" if quote.currency else order


def _expired(quote: Quote, now_ms: int) -> bool:
    """Whether nothing can be submitted under it any more, as nothing was in time."""
    return bool(quote.id) and quote.job is None and now_ms > quote.valid_until_ms


def _counted(line: QuoteLine) -> tuple[float, float] | None:
    """(hosts, building): by what the accelerators' draw was multiplied."""
    hosts, building = line.details.get("energy_hosts"), line.details.get("energy_building")
    return None if hosts is None or building is None else (hosts, building)


def _digits(value: float) -> str:
    """Three digits that say something, or all whole ones."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
