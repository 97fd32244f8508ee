"""The end of a leap February in USD, a job across it, and use that became known late; worked by hand. No tax.

what happened                                                       hours     price       exact
-----------------------------------------------------------------------------------------------
a  2 H800 on demand, 28 February 2028 22:15 to 1 March 03:00
   28 February  1.75 h x 2 = 3.5;  29 February  24 h x 2 = 48        51.5      2.50   128.750000
   1 March      3 h x 2                                               6        2.50    15.000000
b  1 A10 spot, 29 February 10:00 to 10:40, reported when February
   was closed                                                        2/3       0.31     0.206667

February, closed 2 March      line 1  H800, a                                              128.75

March, closed 2 April                        exact      rounded down   lost        0.01   amount
-----------------------------------------------------------------------------------------------
1  H800, a                               15.000000            15.00    0                   15.00
2  adjustment of 2028-02, A10, b          0.206667             0.20    0.006667   here      0.21
   net                                   15.206667            15.20                        15.21

credit: 500.00 - 128.75 - 15.21 = 356.04; rounding 15.21 - 15.206667 = 0.003333
"""

from __future__ import annotations

from pathlib import Path

from tests.golden.billing.months.months import close, open_books, posted, sums, table
from tests.integration.invoices.worked import at, use

from petahour.model.jobs import Tier
from petahour.model.tenants import Tenant
from petahour.model.usage import AccountKind

BETA = Tenant(name="beta", title="Beta Inc.", currency="USD", created_ms=at(1, 1, year=2028))
H800 = "h800-80g-sxm"


def test_the_leap_month(tmp_path: Path) -> None:
    books = open_books(tmp_path, BETA, credit="500.00", tax_rate_ppm=0, now_ms=at(3, 2, year=2028))
    with books.store.write() as tx:
        begin_ms, end_ms = at(2, 28, 22, 15, year=2028), at(3, 1, 3, year=2028)
        use(tx, "a", begin_ms, end_ms, tenant=BETA, type_name=H800, count=2, price="2.50")
    february = close(books, "2028-02")
    assert table(february) == [("use", "2028-02", "llm", H800, "on-demand", "128.75", "128.75")]
    assert sums(february) == ("PH2028-00001", "128.75", "0.00", "128.75", "0.00")
    with books.store.write() as tx:
        begin_ms, end_ms = at(2, 29, 10, year=2028), at(2, 29, 10, 40, year=2028)
        use(tx, "b", begin_ms, end_ms, tenant=BETA, type_name="a10", tier=Tier.SPOT, price="0.31")
    assert close(books, "2028-02") == february
    books.clock.now = at(4, 2, year=2028)
    march = close(books, "2028-03")
    assert table(march) == [
        ("use", "2028-03", "llm", H800, "on-demand", "15.00", "15.00"),
        ("adjustment", "2028-02", "llm", "a10", "spot", "0.206667", "0.21"),
    ]
    assert sums(march) == ("PH2028-00002", "15.21", "0.00", "15.21", "0.00")
    assert posted(books, AccountKind.ROUNDING, "USD") == "0.003333"
    assert posted(books, AccountKind.PREPAID, "USD", "beta") == "356.04"
    books.store.close()
