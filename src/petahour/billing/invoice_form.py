"""How an invoice is shown: plain text for people, JSON values for programs."""

from __future__ import annotations

from dataclasses import asdict
from decimal import ROUND_HALF_EVEN, Decimal

from petahour.billing.invoice_nouns import Invoice, InvoiceLine
from petahour.billing.lending import LENT
from petahour.model.money import MICROS, MINOR_DIGITS
from petahour.model.time import HOUR_MS, to_datetime, to_iso

NOT_PAYABLE = "REHEARSAL - NOT PAYABLE"
_HEAD = ("Project", "Type", "Tier", "Accelerator-hours", "Price per hour", "Amount")
# What is issued has a number of its own, whole minor units and tax: this is the use that it bills.
_STATUS = {"open": "open", "over": "over, not issued yet", "issued": "issued as {}"}
_LEFT = 3  # so many columns are names; the rest are figures


def render_text(invoice: Invoice) -> str:
    """The invoice as plain text of aligned columns, ending in a newline.

    All amounts carry as many decimals as the finest of them needs, so that the points stand in line; prices
    likewise, among themselves.
    Accelerator-hours are rounded to six decimals here and nowhere else; amounts come from milliseconds.
    """
    digits = _digits(invoice)
    price_digits = _price_digits(invoice)
    rows = [_row(line, digits, price_digits) for line in invoice.lines]
    rehearsed = [_row(line, digits, price_digits) for line in invoice.rehearsal_lines]
    widths = [max(len(row[column]) for row in [_HEAD, *rows, *rehearsed]) for column in range(len(_HEAD))]
    fixed = sum(widths[:-1]) + 2 * (len(_HEAD) - 1)
    totals = (("Total payable", invoice.total_micros), ("Rehearsal", invoice.rehearsal_total_micros))
    widths[-1] = max([widths[-1], *(len(_amount(micros, digits)) for _, micros in totals)])
    rule = "-" * (fixed + widths[-1])
    out = [
        *_header(invoice),
        "",
        _aligned(_HEAD, widths),
        rule,
        *_body(invoice.lines, rows, widths, "(no use in this period)"),
        rule,
        _sum_row(f"Total {invoice.currency}", _amount(invoice.total_micros, digits), len(rule)),
        "",
        *_credit(invoice, digits),
    ]
    if invoice.waived_ams:
        out += ["", f"Held and not billed (provisioning, lost): {_hours(invoice.waived_ams)} accelerator-hours"]
    if rehearsed:
        out += ["", NOT_PAYABLE, rule, *_body(invoice.rehearsal_lines, rehearsed, widths, ""), rule]
        sum_text = _amount(invoice.rehearsal_total_micros, digits)
        out.append(_sum_row(f"Rehearsal total {invoice.currency}, not payable", sum_text, len(rule)))
    return "\n".join(line.rstrip() for line in out) + "\n"


def to_json(invoice: Invoice) -> dict[str, object]:
    """The invoice as JSON values; amounts in micro-units, times as ISO text, field names as in ``Invoice``."""
    values: dict[str, object] = asdict(invoice)
    values["lines"] = [asdict(line) for line in invoice.lines]
    values["rehearsal_lines"] = [asdict(line) for line in invoice.rehearsal_lines]
    for name in ("from_ms", "to_ms", "generated_ms"):
        values[name.removesuffix("_ms")] = to_iso(getattr(invoice, name))
    values["status"] = _status(invoice)
    values["rehearsal_note"] = NOT_PAYABLE if invoice.rehearsal_lines else ""
    return values


def _header(invoice: Invoice) -> list[str]:
    return [
        f"INVOICE   {invoice.number}",
        "",
        f"Tenant    {_line(invoice.title)} ({invoice.tenant})",
        f"Period    {_minute(invoice.from_ms)} to {_minute(invoice.to_ms)}, UTC",
        f"Status    {_STATUS[_status(invoice)].format(invoice.issued)}, as of {to_iso(invoice.generated_ms)}",
        f"Currency  {invoice.currency}",
    ]


def _credit(invoice: Invoice, digits: int) -> list[str]:
    rows = [
        ("Credit before", invoice.opening_micros),
        ("Credit added", invoice.topups_micros),
        *([("Tax and rounding", invoice.settled_micros)] if invoice.settled_micros else []),
        ("Charged", -invoice.total_micros),
        ("Credit after", invoice.closing_micros),
    ]
    if invoice.held_micros:
        rows.append(("of which held for running jobs", invoice.held_micros))
    texts = [(name, _amount(micros, digits)) for name, micros in rows]
    names = max(len(name) for name, _ in texts)
    figures = max(len(text) for _, text in texts)
    return [f"{name:<{names}}  {text:>{figures}} {invoice.currency}" for name, text in texts]


def _body(lines: tuple[InvoiceLine, ...], rows: list[tuple[str, ...]], widths: list[int], empty: str) -> list[str]:
    out: list[str] = []
    for line, row in zip(lines, rows, strict=True):
        out.append(_aligned(row, widths))
        if line.note:
            out.append(f"  {_line(line.note)}")
    return out or [empty]


def _row(line: InvoiceLine, digits: int, price_digits: int) -> tuple[str, ...]:
    amount = _amount(line.amount_micros, digits)
    if line.note:
        return (_label(line), line.type, line.tier, "", "", amount)
    price = _amount(line.price_min_micros, price_digits)
    if line.price_max_micros != line.price_min_micros:
        price += " to " + _amount(line.price_max_micros, price_digits)
    return (line.project, line.type, line.tier, _hours(line.accelerator_ms), price, amount)


def _label(line: InvoiceLine) -> str:
    if line.fee:
        return "fee"
    return "share" if line.tier == LENT and line.amount_micros < 0 else "correction"


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        f"{text:<{width}}" if column < _LEFT else f"{text:>{width}}"
        for column, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells)


def _sum_row(name: str, amount: str, width: int) -> str:
    return f"{name}{amount:>{max(width - len(name), len(amount) + 1)}}"


def _digits(invoice: Invoice) -> int:
    """The decimals of the finest amount shown, at least the currency's own."""
    shown = [invoice.total_micros, invoice.rehearsal_total_micros, invoice.opening_micros, invoice.topups_micros]
    shown += [invoice.closing_micros, invoice.held_micros, invoice.settled_micros]
    shown += [line.amount_micros for line in (*invoice.lines, *invoice.rehearsal_lines)]
    return _finest(shown, invoice.currency)


def _price_digits(invoice: Invoice) -> int:
    lines = (*invoice.lines, *invoice.rehearsal_lines)
    return _finest([p for line in lines for p in (line.price_min_micros, line.price_max_micros)], invoice.currency)


def _finest(amounts: list[int], currency: str) -> int:
    fractions = (f"{abs(micros) % MICROS:06d}".rstrip("0") for micros in amounts)
    return max(MINOR_DIGITS[currency], max((len(fraction) for fraction in fractions), default=0))


def _amount(micros: int, digits: int) -> str:
    whole, fraction = divmod(abs(micros), MICROS)
    sign = "-" if micros < 0 else ""
    return f"{sign}{whole:,}" + (f".{fraction:06d}"[: digits + 1] if digits else "")


def _hours(accelerator_ms: int) -> str:
    exact = Decimal(accelerator_ms) / HOUR_MS
    return f"{exact.quantize(Decimal('0.000001'), rounding=ROUND_HALF_EVEN):,}"


def _minute(at_ms: int) -> str:
    return f"{to_datetime(at_ms):%Y-%m-%d %H:%M}"


def _status(invoice: Invoice) -> str:
    if invoice.issued:
        return "issued"
    return "over" if invoice.closed else "open"


def _line(text: str) -> str:
    """The text on one line: a title or a note must not draw lines of its own into an invoice."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
