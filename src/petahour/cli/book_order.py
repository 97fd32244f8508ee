"""Price books in the order they take over from one another: which is in force, and what the next one leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from petahour.client.statements import PriceBook


def over(book: PriceBook, books: Iterable[PriceBook], now_ms: int) -> bool:
    """Whether another of its currency has taken over by now, or its time has ended."""
    ended = book.until_ms is not None and book.until_ms <= now_ms
    return ended or any(
        book.effective_ms < other.effective_ms <= now_ms for other in books if other.currency == book.currency
    )


def left_out(book: PriceBook, books: Iterable[PriceBook]) -> Sequence[tuple[str, str]]:
    """The types and tiers that the book before it sells and this one does not."""
    earlier = [one for one in books if one.currency == book.currency and one.effective_ms < book.effective_ms]
    before = max(earlier, key=lambda one: one.effective_ms, default=None)
    if before is None or (before.until_ms is not None and before.until_ms <= book.effective_ms):
        return ()
    sold = {(row.type, str(row.tier)) for row in book.prices}
    return sorted({(row.type, str(row.tier)) for row in before.prices} - sold)


def gaps(ids: Iterable[str], books: Sequence[PriceBook]) -> Iterator[str]:
    """What nobody can buy any more from these books on, in words."""
    from petahour.cli.render import instant

    wanted = set(ids)
    for book in books:
        lost = left_out(book, books) if book.id in wanted else ()
        if lost:
            shown = ", ".join(f"{name} {tier}" for name, tier in lost[:4]) + (", ..." if len(lost) > 4 else "")
            count = "1 price" if len(lost) == 1 else f"{len(lost)} prices"
            yield (
                f"{book.id} leaves out {count} of the book before it ({shown}): "
                f"nobody can buy these in {book.currency} from {instant(book.effective_ms)} on"
            )
