"""The demonstration's last act: the books of its month are closed, and the invoices are printed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from petahour.cli.demo.tenants import Renter
from petahour.cli.offline import offline
from petahour.client import Client
from petahour.documents.pdf import PACKAGES, require_pdf
from petahour.model.errors import UnavailableError
from petahour.model.invoices import BillingTerms, InvoiceDocument, Party, Seller
from petahour.model.time import HOUR_MS, month_bounds, to_iso

SELLER = Seller(
    party=Party(
        name="Petahour Demonstration Data Centre",
        address=("1 Example Road", "Haidian, Beijing 100080"),
        country="China",
        tax_id="DEMO-0000-0000",
        email="billing@demo.example",
        bank=("Bank of Examples", "Account 0000 0000 0000 0000", "SWIFT EXAMPLEX"),
    ),
    prefix="DEMO",
    note="A demonstration: the jobs really ran, the companies do not exist.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Printed:
    """Issued invoices and their files. ``note`` says why they are HTML, where they are."""

    documents: tuple[InvoiceDocument, ...]
    files: tuple[Path, ...]
    closed_at: str
    note: str = ""


class _AtMonthsEnd:
    """A clock that stands an hour after a month: nobody wants to wait for its end in a demonstration."""

    def __init__(self, month: str) -> None:
        self._now_ms = month_bounds(month)[1] + HOUR_MS

    def now_ms(self) -> int:
        return self._now_ms


def close_and_print(directory: Path, renters: Sequence[Renter], months: Iterable[str]) -> Printed:
    """Close the months as on their last hour's end, and write every invoice below ``directory/invoices``."""
    documents: list[InvoiceDocument] = []
    files: list[Path] = []
    form, note = _form()
    clock = None
    for month in sorted(set(months)):
        clock = _AtMonthsEnd(month)
        with offline(directory / "data", clock=clock) as client:
            client.books.set_seller(SELLER)
            for renter in renters:
                client.books.set_terms(_terms(renter))
            made = [item.document for item in client.books.close(month).closes if item.document is not None]
            documents += made
            files += _print(client, made, directory / "invoices", form)
    closed_at = "" if clock is None else to_iso(clock.now_ms())
    return Printed(documents=tuple(documents), files=tuple(files), closed_at=closed_at, note=note)


def _print(client: Client, documents: Iterable[InvoiceDocument], directory: Path, form: str) -> list[Path]:
    directory.mkdir(parents=True, exist_ok=True)
    files = []
    for document in documents:
        for language in ("en", "zh"):
            path = directory / f"{document.number}-{document.tenant}.{language}.{form}"
            path.write_bytes(client.books.file(document.number, form, language=language))
            files.append(path)
    return files


def _form() -> tuple[str, str]:
    """PDF, or HTML and the reason, where this host cannot draw PDF files."""
    try:
        require_pdf()
    except UnavailableError:
        return "html", f"PDF needs further packages (Debian: apt install {PACKAGES}); the invoices are HTML."
    return "pdf", ""


def _terms(renter: Renter) -> BillingTerms:
    return BillingTerms(
        tenant=renter.tenant,
        party=Party(name=renter.title, address=renter.address, country=renter.country, tax_id=renter.tax_id),
        tax_rate_ppm=renter.tax_rate_ppm,
        terms_days=30,
        language=renter.language,
    )
