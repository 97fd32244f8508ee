"""A month in KWD (three decimals) with a reservation's fee, 5 % tax, a void invoice and a credit note; by hand.

40.000 were bought. 20.000 of them were set aside for the reservation of March.

line                                       hours     price       exact   rounded down  0.001  amount
-----------------------------------------------------------------------------------------------------
1  llm A100 on demand, 7 minutes            7/60     3.111    0.362950          0.362   here   0.363
2  llm A100 reserved, 4 for 2 h 30 min        10     1.2345  12.345000         12.345         12.345
3  reservation r-1, March 2026                                20.000000        20.000         20.000
-----------------------------------------------------------------------------------------------------
   net                                                        32.707950        32.707         32.708
   tax: 32.708 x 0.05 = 1.6354                                                                 1.635
   total                                                                                      34.343

credit: 40 - 20 - 12.707950 = 7.292050; rounding 32.708 - 32.70795 = 0.00005: 7.292; tax: 5.657

PH2026-00001 has a wrong address and is void: its tax and rounding come back, 7.292050. Closed again it is
PH2026-00002 with the same figures: 5.657.

1.234 of line 2 are taken back: tax of it 0.0617, so 0.062; together 1.296 to credit: 6.953
"""

from __future__ import annotations

from pathlib import Path

from tests.golden.billing.months.months import close, micros, open_books, posted, sums, table
from tests.integration.invoices.conftest import OPERATOR
from tests.integration.invoices.worked import at, use

from petahour.control.invoices import credit_invoice, void_invoice
from petahour.model.jobs import Tier
from petahour.model.tenants import Tenant
from petahour.model.usage import AccountKind, Transfer, TransferKind

GULF = Tenant(name="gulf", title="Gulf Models", currency="KWD", created_ms=at(1, 1))
A100 = "a100-80g-sxm"
PREPAID, COMMITTED, EARNED = "prepaid:gulf:KWD", "committed:gulf:KWD", f"revenue:operator:KWD:{A100}/reserved"


def moved(kind: TransferKind, debit: str, credit: str, at_ms: int) -> Transfer:
    return Transfer(
        id=f"trf-{kind.value}-r-1",
        kind=kind,
        debit=debit,
        credit=credit,
        amount_micros=micros("20", "KWD"),
        currency="KWD",
        at_ms=at_ms,
        cause="r-1/2026-03",
        note="reservation r-1, March 2026",
    )


def test_the_reservation_month(tmp_path: Path) -> None:
    books = open_books(tmp_path, GULF, credit="40", tax_rate_ppm=50_000, now_ms=at(4, 2))
    with books.store.write() as tx:
        tx.ledger.post(moved(TransferKind.COMMITMENT, PREPAID, COMMITTED, at(2, 20)))
        tx.ledger.post(moved(TransferKind.FEE, COMMITTED, EARNED, at(3, 1)))
        use(tx, "od", at(3, 5, 11), at(3, 5, 11, 7), tenant=GULF, price="3.111")
        use(tx, "res", at(3, 10), at(3, 10, 2, 30), tenant=GULF, count=4, tier=Tier.RESERVED, price="1.2345")
    made = close(books, "2026-03")
    lines = [
        ("use", "2026-03", "llm", A100, "on-demand", "0.36295", "0.363"),
        ("use", "2026-03", "llm", A100, "reserved", "12.345", "12.345"),
        ("fee", "2026-03", "", A100, "reserved", "20.000", "20.000"),
    ]
    assert table(made) == lines
    assert sums(made) == ("PH2026-00001", "32.708", "1.635", "34.343", "0.000")
    assert posted(books, AccountKind.PREPAID, "KWD", "gulf") == "5.657"

    void_invoice(books.context, OPERATOR, "PH2026-00001", reason="wrong address")
    assert posted(books, AccountKind.PREPAID, "KWD", "gulf") == "7.29205"
    again = close(books, "2026-03")
    assert table(again) == lines
    assert sums(again) == ("PH2026-00002", "32.708", "1.635", "34.343", "0.000")

    note = credit_invoice(
        books.context, OPERATOR, "PH2026-00002", line=2, amount="1.234", reason="slow network", key="c-1"
    )
    assert sums(note) == ("PHC2026-00001", "-1.234", "-0.062", "-1.296", "0.000")
    assert posted(books, AccountKind.PREPAID, "KWD", "gulf") == "6.953"
    assert posted(books, AccountKind.TAX, "KWD") == "1.573"
    assert posted(books, AccountKind.SERVICE_CREDITS, "KWD") == "-1.234"
    books.store.close()
