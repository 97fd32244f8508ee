"""A month in CNY of a reservation that lends what it does not use, over a leap day, 6 % tax; by hand.

Four cores are acme's from 28 February 2084, 00:00, to 1 March, 00:00: 48 hours, as 29 February is there. Spot of beta
lies on two of them from the beginning for 30 hours. Of what it pays 40 % are acme's.

line                                            hours   price     exact  rounded down  0.01  amount
----------------------------------------------------------------------------------------------------
1  reservation, 4 cores x 48 h                    192    0.40    76.800         76.80         76.80
2  lent to spot, 40 % of 2 cores x 30 h x 0.112                  -2.688         -2.69         -2.69
----------------------------------------------------------------------------------------------------
   net                                                           74.112         74.11         74.11
   tax: 74.11 x 0.06 = 4.4466                                                                  4.45
   total                                                                                      78.56

An hour of spot is 2 x 0.112 = 0.224, of it 40 % are 0.0896: thirty transfers of 89,600 micro-units.
acme's credit: 1,000 - 78.56 = 921.44
the centre's revenue of lent seats: -2.688
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.golden.billing.months.months import sums, table
from tests.property.control.floor import OPERATOR, HandPlane

from petahour.control.billing_terms import set_seller, set_terms
from petahour.control.month_close import close_month
from petahour.control.reservations import Wish, reserve
from petahour.model.invoices import BillingTerms, Party, Seller
from petahour.model.time import HOUR_MS, to_ms
from petahour.model.usage import AccountKind, TransferKind, account_id


def test_the_lent_month(tmp_path: Path) -> None:
    plane = HandPlane(tmp_path)
    begin_ms = to_ms(datetime(2084, 2, 28, tzinfo=UTC))
    end_ms = to_ms(datetime(2084, 3, 1, tzinfo=UTC))
    set_seller(plane.context, OPERATOR, Seller(party=Party(name="Centre")))
    set_terms(plane.context, OPERATOR, BillingTerms(tenant="acme", party=Party(name="Acme"), tax_rate_ppm=60_000))
    for tenant, lends in (("acme", True), ("coop", False)):
        wish = Wish(
            tenant=tenant, type="cpu", count=4, from_ms=begin_ms, to_ms=end_ms, price="0.40", lends=lends, share="40"
        )
        made = reserve(plane.context, OPERATOR, wish)
        if lends:
            own = made
    plane.clock.at_ms = begin_ms
    plane.step()
    plane.submit("beta", tier="spot", accelerators_per_node=2, run_ms=30 * HOUR_MS)
    plane.step()
    for _ in range(49):
        plane.step(HOUR_MS)

    (issued,) = (one.document for one in close_month(plane.context, OPERATOR, "2084-02", tenant="acme"))
    assert issued is not None
    assert table(issued) == [
        ("fee", "2084-02", "", "cpu", "reserved", "76.80", "76.80"),
        ("lent-share", "2084-02", "", "cpu", "lent", "-2.688", "-2.69"),
    ]
    assert [line.note for line in issued.lines] == [
        f"Reservation {own.id}: 1 x 4",
        f"Reservation {own.id}: lent to spot",
    ]
    assert sums(issued) == ("PH2084-00001", "74.11", "4.45", "78.56", "0.00")
    with plane.store.read() as tx:
        shares = [one for one in tx.ledger.transfers() if one.kind is TransferKind.LENT_SHARE]
        assert [one.amount_micros for one in shares] == [89_600] * 30
        credit = tx.ledger.balance(account_id(AccountKind.PREPAID, "CNY", "acme"), "CNY")
        lent = tx.ledger.balance(account_id(AccountKind.REVENUE, "CNY", detail="cpu/lent"), "CNY")
    assert (credit.posted_micros, lent.posted_micros) == (921_440_000, -2_688_000)
    plane.close()
