"""HTML to PDF by WeasyPrint, which needs Pango and a font with the document's letters on the host."""

from __future__ import annotations

from petahour.model.errors import UnavailableError

PACKAGES = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-liberation2 fonts-wqy-microhei"


def require_pdf() -> None:
    """Raise UnavailableError, naming the Debian packages, where this host cannot make PDF files."""
    try:
        import weasyprint  # noqa: F401
    except (ImportError, OSError):
        raise UnavailableError(
            field="pdf",
            value=None,
            rule="PDF files need the Pango library on the control plane's host",
            remedy=f"Install it (Debian: apt install {PACKAGES}), or ask for HTML.",
        ) from None


def to_pdf(html: str) -> bytes:
    """The pages as a PDF file. Nothing is fetched: a document holds all that it needs."""
    require_pdf()
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    written = HTML(string=html, url_fetcher=URLFetcher(allowed_protocols=())).write_pdf()
    if not isinstance(written, bytes):
        raise TypeError("WeasyPrint gives bytes when it is given no target")
    return written
