"""A month of prepaid use in CNY with 13 % tax, worked by hand. 1,000.00 were bought in January.

what happened in March 2026                              hours          price         exact
-----------------------------------------------------------------------------------------------
a  llm, 8 A100 on demand, 5 March 11:00 to 12:30          12          14.00      168.000000
b  llm, 1 A100 on demand for one second              1 / 3,600        14.00        0.003889
c  vision, 2 Ascend 910B3 spot, from 31 March
   23:59:59 to 1 April 00:20: one second in March    2 / 3,600         3.60        0.002000
d  vision, 1 Ascend 910B3 spot for two seconds       2 / 3,600         3.60        0.002000
e  the second hour of a (4 h) is taken back, 6 March                            - 56.000000
f  rehearsal, 4 MTT S4000 for 15 minutes                   1           5.00    not payable

line                                   exact    rounded down   lost      missing 0.01   amount
-----------------------------------------------------------------------------------------------
1  llm A100 on demand      a + b   168.003889        168.00    0.003889                  168.00
2  vision Ascend spot      c + d     0.004000          0.00    0.004000   lost most        0.01
3  correction              e       -56.000000        -56.00    0                         -56.00
-----------------------------------------------------------------------------------------------
   net                             112.007889        112.00                              112.01
   rounding: 112.01 - 112.007889 = 0.002111
   tax: 112.01 x 0.13 = 14.5613                                                           14.56
   total                                                                                 126.57

credit: 1,000.00 - 112.007889 - 0.002111 - 14.56 = 873.43, and April's part of c, 2 x 20 min x 3.60 = 2.40:
871.03
"""

from __future__ import annotations

from pathlib import Path

from tests.golden.billing.months.months import close, open_books, posted, sums, table
from tests.integration.invoices.worked import ACME, at, use

from petahour.billing.ledger import reversal
from petahour.model.jobs import Tier
from petahour.model.usage import AccountKind

A100, ASCEND = "a100-80g-sxm", "ascend-910b3"


def test_the_prepaid_month(tmp_path: Path) -> None:
    books = open_books(tmp_path, ACME, credit="1000.00", tax_rate_ppm=130_000, now_ms=at(4, 2))
    with books.store.write() as tx:
        use(tx, "a", at(3, 5, 11), at(3, 5, 12, 30), count=8)
        use(tx, "b", at(3, 20, 8), at(3, 20, 8, 0, 1))
        vision = {"project": "vision", "type_name": ASCEND, "tier": Tier.SPOT, "price": "3.60"}
        use(tx, "c", at(3, 31, 23, 59, 59), at(4, 1, 0, 20), count=2, **vision)  # type: ignore[arg-type]
        use(tx, "d", at(3, 9), at(3, 9, 0, 0, 2), **vision)  # type: ignore[arg-type]
        use(tx, "f", at(3, 9, 7), at(3, 9, 7, 15), count=4, type_name="mtt-s4000", price="5.00", rehearsal=True)
        charged = next(one for one in tx.ledger.transfers() if one.cause == f"use-alloc-a-{at(3, 5, 12)}")
        tx.ledger.post(reversal(charged, at_ms=at(3, 6), note="switch fault, agreed with the tenant"))
    made = close(books, "2026-03")
    assert table(made) == [
        ("use", "2026-03", "llm", A100, "on-demand", "168.003889", "168.00"),
        ("use", "2026-03", "vision", ASCEND, "spot", "0.004", "0.01"),
        ("correction", "2026-03", "", A100, "on-demand", "-56.00", "-56.00"),
    ]
    assert sums(made) == ("PH2026-00001", "112.01", "14.56", "126.57", "0.00")
    assert [line.amount_micros for line in made.rehearsal_lines] == [5_000_000]
    assert posted(books, AccountKind.ROUNDING, "CNY") == "0.002111"
    assert posted(books, AccountKind.TAX, "CNY") == "14.56"
    assert posted(books, AccountKind.PREPAID, "CNY", "acme") == "871.03"
    books.store.close()
