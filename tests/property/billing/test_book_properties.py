"""Whatever the book: every hour has one price, bands sum to the use, own terms come first, and text reads back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from petahour.billing.bands import cut_at_bands
from petahour.billing.book import Band, Discount, Override, PriceBook, Tariff, bands_of, hour_of_week, unit_price
from petahour.billing.book_file import describe_price_book, parse_price_book
from petahour.model.jobs import Tier
from petahour.model.time import HOUR_MS, to_ms
from petahour.model.usage import UsageRecord

TYPES = ("cpu", "a100-80g-sxm")
MONDAY = datetime(2028, 2, 28, tzinfo=UTC)  # a Monday whose week holds a leap day

percents = st.integers(0, 1_000_000).map(lambda parts: Decimal(parts) / 10_000)
micros = st.integers(0, 10**13)


@st.composite
def band_lists(draw: st.DrawFn) -> tuple[Band, ...]:
    hours = sorted(draw(st.sets(st.integers(1, 10_000), max_size=4)))
    offs = sorted(draw(st.sets(percents.filter(bool), min_size=len(hours), max_size=len(hours))))
    return tuple(Band(from_ams=hour * HOUR_MS, off=off) for hour, off in zip(hours, offs, strict=True))


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    turns = sorted(draw(st.sets(st.integers(1, 167), max_size=6)))
    hours: tuple[int, ...] = ()
    for begin, end in pairwise([0, *turns, 168]):
        hours += (draw(micros),) * (end - begin)
    return Tariff(hours=hours, bands=draw(band_lists()))


instants = st.integers(0, 10_000 * 24).map(lambda hours: hours * HOUR_MS)
ends = st.none() | st.integers(10_001 * 24, 20_000 * 24).map(lambda hours: hours * HOUR_MS)
pairs = st.tuples(st.sampled_from(TYPES), st.sampled_from(list(Tier)))


@st.composite
def books(draw: st.DrawFn) -> PriceBook:
    listed = draw(st.dictionaries(pairs, tariffs(), min_size=1, max_size=3))
    own = draw(st.dictionaries(pairs, st.builds(Override, tariff=tariffs(), until_ms=ends), max_size=2))
    discount = st.builds(
        Discount,
        off=percents,
        types=st.frozensets(st.sampled_from(TYPES), max_size=1),
        tiers=st.frozensets(st.sampled_from(list(Tier)), max_size=2),
        until_ms=ends,
    )
    tenants = st.sampled_from(["acme", "beta"])
    return PriceBook(
        id="b",
        currency=draw(st.sampled_from(["CNY", "JPY", "KWD"])),
        effective_ms=draw(instants),
        prices={pair: max(tariff.hours) for pair, tariff in listed.items()},
        tariffs={pair: tariff for pair, tariff in listed.items() if tariff.bands or len(set(tariff.hours)) > 1},
        overrides={("acme", *pair): override for pair, override in own.items()},
        discounts={tenant: (draw(discount),) for tenant in draw(st.sets(tenants))},
        utc_offset_ms=draw(st.integers(-14, 14)) * HOUR_MS,
        until_ms=draw(ends),
        lent_share_ppm=draw(st.integers(0, 1_000_000)),
    )


@given(books())
def test_a_described_book_reads_back_whole(book: PriceBook) -> None:
    assert parse_price_book(describe_price_book(book), known_types=TYPES) == book


@given(st.integers(0, 400 * 24), st.integers(-14, 14))
def test_the_week_has_its_hours_on_every_day_of_the_year(hours: int, offset: int) -> None:
    there = MONDAY + timedelta(hours=hours)
    local = there + timedelta(hours=offset)
    assert hour_of_week(to_ms(there), offset * HOUR_MS) == local.weekday() * 24 + local.hour


@given(books(), st.sampled_from(TYPES), st.sampled_from(list(Tier)), instants, st.integers(0, 20_000 * HOUR_MS))
def test_own_terms_come_first_and_nobody_pays_more_than_the_list(
    book: PriceBook, name: str, tier: Tier, at_ms: int, used_ams: int
) -> None:
    def price(tenant: str) -> int | None:
        return unit_price(book, tenant=tenant, type=name, tier=tier, at_ms=at_ms, used_ams=used_ams)

    listed, own = price("gamma"), book.overrides.get(("acme", name, tier))
    assert (listed is None) is ((name, tier) not in book.prices)
    if own is not None and (own.until_ms is None or at_ms < own.until_ms):
        assert price("acme") == own.tariff.at(hour_of_week(at_ms, book.utc_offset_ms), used_ams)
    elif listed is not None:
        acme = price("acme")
        assert acme is not None
        assert acme <= listed <= book.prices[name, tier]
    beta = price("beta")
    assert (beta is None) is (listed is None)
    assert beta is None or listed is None or beta <= listed


@given(
    band_lists(),
    st.integers(1, 64),
    st.integers(0, HOUR_MS - 1),
    st.integers(1, HOUR_MS),
    st.integers(0, 11_000 * HOUR_MS),
    st.integers(0, 10**9),
)
def test_pieces_sum_to_the_record_and_each_lies_in_one_band(
    bands: tuple[Band, ...], accelerators: int, start: int, span: int, used_ams: int, price: int
) -> None:
    end = min(HOUR_MS, start + span)
    record = UsageRecord(
        id=f"use-a-{start}",
        allocation="a",
        job="j",
        tenant="acme",
        project="p",
        type="cpu",
        tier=Tier.SPOT,
        rehearsal=False,
        hour_ms=0,
        start_ms=start,
        end_ms=end,
        accelerators=accelerators,
        billed_ams=(end - start) * accelerators,
        waived_ams=0,
    )
    pieces = list(cut_at_bands(record, bands, used_ams=used_ams))
    assert [piece.start_ms for piece, _ in pieces[1:]] == [piece.end_ms for piece, _ in pieces[:-1]]
    assert (pieces[0][0].start_ms, pieces[-1][0].end_ms) == (start, end)
    assert sum(piece.billed_ams for piece, _ in pieces) == record.billed_ams
    tariff, volume = Tariff(hours=(price,) * 168, bands=bands), used_ams
    for piece, before in pieces:
        assert before == volume
        assert piece.id == f"use-a-{piece.start_ms}"
        # Nothing of a piece but its last millisecond reaches into the band after its own.
        last = volume + piece.billed_ams - accelerators
        assert tariff.at(0, volume) == tariff.at(0, max(volume, last))
        volume += piece.billed_ams
    exact = sum(Fraction(tariff.at(0, before) * piece.billed_ams, HOUR_MS) for piece, before in pieces)
    assert exact <= Fraction(price * record.billed_ams, HOUR_MS)


@given(books(), st.sampled_from(TYPES), st.sampled_from(list(Tier)), instants)
def test_the_first_band_is_the_dearest(book: PriceBook, name: str, tier: Tier, at_ms: int) -> None:
    first = unit_price(book, tenant="acme", type=name, tier=tier, at_ms=at_ms)
    for band in bands_of(book, tenant="acme", type=name, tier=tier, at_ms=at_ms):
        later = unit_price(book, tenant="acme", type=name, tier=tier, at_ms=at_ms, used_ams=band.from_ams)
        assert later is not None
        assert first is not None
        assert later <= first
