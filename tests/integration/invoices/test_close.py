"""The monthly close, on both databases: what it bills, once, and what it leaves for the next month."""

from __future__ import annotations

import re

import pytest
from tests.integration.invoices.conftest import OPERATOR, Books
from tests.integration.invoices.worked import add_tenant, at, metered, terms, use

from petahour.billing.invoice import Invoice, render_text
from petahour.billing.ledger import check_double_entry, replay, reversal
from petahour.control.audit import verify
from petahour.control.audit.invoices import SETTLED
from petahour.control.corrections import reverse
from petahour.control.invoices import credit_invoice, list_invoices, pay_invoice, void_invoice
from petahour.control.month_close import Outcome, TenantClose, close_month
from petahour.control.statements import invoice_for
from petahour.model.allocations import Allocation
from petahour.model.errors import ConflictError, ValidationError
from petahour.model.invoices import InvoiceDocument, InvoiceState, LineKind
from petahour.model.jobs import Tier
from petahour.model.tenants import Tenant
from petahour.model.usage import AccountKind, account_id
from petahour.store.protocol import InvoiceFilter


def close(books: Books, month: str = "2026-03", tenant: str | None = None, **options: bool) -> TenantClose:
    return close_month(books.context, OPERATOR, month, tenant=tenant, **options)[0]


def issued(books: Books, month: str = "2026-03") -> InvoiceDocument:
    done = close(books, month)
    assert done.outcome is Outcome.ISSUED
    assert done.document is not None
    return done.document


def posted(books: Books, kind: AccountKind, owner: str = "operator", currency: str = "CNY") -> int:
    with books.store.read() as tx:
        return tx.ledger.balance(account_id(kind, currency, owner), currency).posted_micros


def check_books(books: Books) -> None:
    """Double entry holds, and balances follow from the transfers."""
    with books.store.read() as tx:
        balances = {item.account: item for item in tx.ledger.balances()}
        assert replay(tx.ledger.transfers()) == balances
    check_double_entry(balances.values())


def test_a_month_becomes_one_invoice(books: Books) -> None:
    with books.store.write() as tx:
        use(tx, "a", at(3, 5, 11), at(3, 5, 12, 30), count=8)  # 12 h x 14 = 168.00
        use(tx, "b", at(3, 9), at(3, 9) + 1)  # one millisecond: 0.000004
        use(tx, "c", at(3, 10), at(3, 10, 0, 0, 1), project="vision", tier=Tier.SPOT, price="5.00")  # 0.001389
        use(tx, "d", at(3, 11), at(3, 11, 1), rehearsal=True)
    made = issued(books)
    assert made.number == "PH2026-00001"
    assert made.state is InvoiceState.PAID  # all of it from credit
    shown = [(line.project, line.tier, line.exact_micros, line.amount_micros) for line in made.lines]
    assert shown == [
        ("llm", "on-demand", 168_000_004, 168_000_000),
        ("vision", "spot", 1_389, 0),
    ]
    assert (made.net_micros, made.tax_micros, made.total_micros) == (168_000_000, 21_840_000, 189_840_000)
    assert [line.amount_micros for line in made.rehearsal_lines] == [14_000_000]
    assert posted(books, AccountKind.TAX) == 21_840_000
    assert posted(books, AccountKind.ROUNDING) == -1_393
    assert posted(books, AccountKind.PREPAID, "acme") == 1_000_000_000 - 189_840_000
    check_books(books)


def test_closing_again_changes_nothing(books: Books) -> None:
    with books.store.write() as tx:
        use(tx, "a", at(3, 5, 11), at(3, 5, 12))
    first = issued(books)
    with books.store.read() as tx:
        before = tx.ledger.transfers()
    again = close(books)
    assert again == TenantClose(tenant="acme", outcome=Outcome.ALREADY, document=first)
    with books.store.read() as tx:
        assert tx.ledger.transfers() == before


def test_the_use_of_a_month_says_whether_it_is_issued_and_tax_is_no_credit(books: Books) -> None:
    with books.store.write() as tx:
        use(tx, "a", at(3, 5, 11), at(3, 5, 12) + 1)
    context = books.context

    def shown(month: str) -> Invoice:
        return invoice_for(context, OPERATOR, "acme", month)

    assert "Status    over, not issued yet, as of" in render_text(shown("2026-03"))
    made = issued(books)
    assert f"Status    issued as {made.number}, as of" in render_text(shown("2026-03"))
    april = shown("2026-04")
    assert (april.issued, april.topups_micros) == ("", 0)
    assert april.settled_micros == -made.tax_micros + made.exact_micros - made.net_micros
    assert re.search(r"^Tax and rounding +-1\.8[0-9]+ CNY$", render_text(april), re.MULTILINE)
    void_invoice(context, OPERATOR, made.number, reason="wrong tax")
    assert shown("2026-03").issued == ""
    assert shown("2026-04").settled_micros == 0


def test_a_month_not_over_is_refused(books: Books) -> None:
    books.clock.now = at(4, 1) + 29_999
    with pytest.raises(ValidationError, match="a month that is over"):
        close(books)
    books.clock.now = at(4, 1) + 30_000
    assert close(books).outcome is Outcome.NOTHING


def test_without_a_seller_nothing_is_issued(books: Books) -> None:
    with books.store.write() as tx:
        tx.invoices._connection.exec_driver_sql("DELETE FROM sellers")
    with pytest.raises(ConflictError, match="nobody is named yet"):
        close(books)


def test_a_job_across_the_months_end_is_in_both_invoices(books: Books) -> None:
    with books.store.write() as tx:
        running = use(tx, "long", at(3, 31, 22, 30), None, until_ms=at(3, 31, 23))
    waiting = close(books)
    assert waiting.outcome is Outcome.WAITING
    assert waiting.reason == "job-long runs and is metered up to 2026-03-31T23:00:00.000Z only"
    _meter(books, running, at(4, 1, 2))  # the control loop closes the hours
    assert issued(books).net_micros == 21_000_000  # 22:30 to 24:00
    books.clock.now = at(5, 2)
    _meter(books, running, at(5, 1))
    made = issued(books, "2026-04")
    assert made.net_micros == 720 * 14_000_000  # 30 days
    assert made.state is InvoiceState.ISSUED  # what credit does not cover is due
    check_books(books)


def test_late_use_goes_to_the_next_invoice_and_names_its_month(books: Books) -> None:
    with books.store.write() as tx:
        use(tx, "a", at(3, 5, 11), at(3, 5, 12))
    march = issued(books)
    with books.store.write() as tx:
        use(tx, "late", at(3, 30), at(3, 30, 2))
        use(tx, "b", at(4, 3), at(4, 3, 1))
    assert close(books).document == march
    books.clock.now = at(5, 2)
    april = issued(books, "2026-04")
    assert [(line.kind, line.month, line.amount_micros) for line in april.lines] == [
        (LineKind.USE, "2026-04", 14_000_000),
        (LineKind.ADJUSTMENT, "2026-03", 28_000_000),
    ]
    assert april.number == "PH2026-00002"


def test_an_earlier_month_is_closed_first(books: Books) -> None:
    with books.store.write() as tx:
        use(tx, "feb", at(2, 5, 11), at(2, 5, 12))
        use(tx, "mar", at(3, 5, 11), at(3, 5, 12))
    with pytest.raises(ConflictError, match="used something in 2026-02, which is not closed"):
        close(books)
    assert issued(books, "2026-02").number == "PH2026-00001"
    assert issued(books).number == "PH2026-00002"


def test_a_charge_taken_back_is_a_correction(books: Books) -> None:
    with books.store.write() as tx:
        use(tx, "a", at(3, 5, 11), at(3, 5, 13))
        charged = next(one for one in tx.ledger.transfers() if one.cause == f"use-alloc-a-{at(3, 5, 11)}")
        tx.ledger.post(reversal(charged, at_ms=at(3, 6), note="switch fault"))
    made = issued(books)
    assert [(line.kind, line.type, line.amount_micros, line.note) for line in made.lines] == [
        (LineKind.USE, "a100-80g-sxm", 28_000_000, ""),
        (LineKind.CORRECTION, "a100-80g-sxm", -14_000_000, "switch fault"),
    ]
    assert made.net_micros == 14_000_000


def test_a_draft_has_no_number_and_moves_nothing(books: Books) -> None:
    with books.store.write() as tx:
        use(tx, "a", at(3, 5, 11), at(3, 5, 12))
        before = tx.ledger.transfers()
    first = close(books, as_draft=True)
    assert first.document is not None
    assert (first.outcome, first.document.number) == (Outcome.DRAFT, "")
    with books.store.write() as tx:
        assert tx.ledger.transfers() == before
        use(tx, "b", at(3, 6, 11), at(3, 6, 12))
    second = issued(books)
    assert (second.id, second.net_micros) == (first.document.id, 28_000_000)
    assert list_invoices(books.context, OPERATOR, InvoiceFilter()) == [second]


def test_what_credit_does_not_cover_is_due_and_paid(books: Books) -> None:
    with books.store.write() as tx:
        use(tx, "a", at(3, 5, 0), at(3, 7, 20), price="14.50")  # 68 h: 986.00, and 128.18 of tax
    made = issued(books)
    assert (made.state, made.due_micros) == (InvoiceState.ISSUED, 114_180_000)
    assert made.due_ms == at(4, 16)
    assert posted(books, AccountKind.PREPAID, "acme") == 0
    assert posted(books, AccountKind.RECEIVABLE, "acme") == -114_180_000
    part = pay_invoice(books.context, OPERATOR, made.number, amount="100.00", key="bank-1")
    assert (part.state, part.due_micros) == (InvoiceState.ISSUED, 14_180_000)
    assert pay_invoice(books.context, OPERATOR, made.number, amount="100.00", key="bank-1") == part
    with pytest.raises(ConflictError, match="a key stands for one payment"):
        pay_invoice(books.context, OPERATOR, made.number, amount="14.18", key="bank-1")
    with pytest.raises(ConflictError, match=r"at most what is due, 14\.18 CNY"):
        pay_invoice(books.context, OPERATOR, made.number, amount="14.19", key="bank-2")
    assert pay_invoice(books.context, OPERATOR, made.number, amount=None, key="bank-2").state is InvoiceState.PAID
    assert posted(books, AccountKind.RECEIVABLE, "acme") == 0
    check_books(books)


def test_a_void_invoice_keeps_its_number_and_its_month_is_closed_anew(books: Books) -> None:
    with books.store.write() as tx:
        use(tx, "a", at(3, 5, 11), at(3, 5, 11, 0, 1))
        use(tx, "b", at(3, 5, 12), at(3, 5, 13))
    first = issued(books)
    with books.store.read() as tx:
        charged = posted(books, AccountKind.PREPAID, "acme")
    void = void_invoice(books.context, OPERATOR, first.number, reason="wrong  address")
    assert (void.state, void.reason) == (InvoiceState.VOID, "wrong address")
    assert posted(books, AccountKind.TAX) == posted(books, AccountKind.ROUNDING) == 0
    second = issued(books)
    assert (second.number, second.total_micros) == ("PH2026-00002", first.total_micros)
    assert posted(books, AccountKind.PREPAID, "acme") == charged
    check_books(books)


def test_what_an_invoice_settled_is_not_taken_back_by_hand_nor_is_what_its_void_took_back(books: Books) -> None:
    with books.store.write() as tx:
        use(tx, "a", at(3, 5, 11), at(3, 5, 12, 0, 1))
    made = issued(books)
    tax = f"trf-tax-prepaid-{made.id}"
    with pytest.raises(ConflictError, match=r"the tax of .* goes with that document"):
        reverse(books.context, OPERATOR, tax, note="no tax")
    void_invoice(books.context, OPERATOR, made.number, reason="wrong address")
    with books.store.read() as tx:
        head = tx.ledger.head()
    for settled in ("tax", "rounding"):
        with pytest.raises(ConflictError, match=f"it took trf-{settled}-prepaid-{made.id} back") as caught:
            reverse(books.context, OPERATOR, f"trf-rev-{settled}-prepaid-{made.id}", note="it was right")
        assert f"The invoice {made.number} is void and stays so" in caught.value.remedy
    with books.store.read() as tx:
        assert tx.ledger.head() == head
        assert [check for check in verify(tx) if check.name == SETTLED and not check.ok] == []
    assert posted(books, AccountKind.TAX) == 0


def test_credit_notes_take_a_line_back_with_its_tax_and_no_more(books: Books) -> None:
    with books.store.write() as tx:
        use(tx, "a", at(3, 5, 0), at(3, 7, 20), price="14.50")
    made = issued(books)
    first = credit_invoice(
        books.context, OPERATOR, made.number, line=1, amount="0.04", reason="slow network", key="c-1"
    )
    assert (first.number, first.net_micros, first.tax_micros) == ("PHC2026-00001", -40_000, -10_000)
    again = credit_invoice(
        books.context, OPERATOR, made.number, line=1, amount="0.04", reason="slow network", key="c-1"
    )
    assert again == first
    with pytest.raises(ConflictError, match="a key stands for one credit note"):
        credit_invoice(books.context, OPERATOR, made.number, line=1, amount="0.05", reason="slow network", key="c-1")
    second = credit_invoice(books.context, OPERATOR, made.number, line=1, amount=None, reason="agreed", key="c-2")
    assert first.net_micros + second.net_micros == -made.net_micros
    assert first.tax_micros + second.tax_micros == -made.tax_micros
    with pytest.raises(ConflictError, match="has left, 0"):
        credit_invoice(books.context, OPERATOR, made.number, line=1, amount=None, reason="again", key="c-3")
    assert posted(books, AccountKind.PREPAID, "acme") == 1_000_000_000
    assert posted(books, AccountKind.RECEIVABLE, "acme") == posted(books, AccountKind.TAX) == 0
    found = list_invoices(books.context, OPERATOR, InvoiceFilter(states=(InvoiceState.PAID,)))
    assert [item.number for item in found] == [made.number]
    with pytest.raises(ConflictError, match="without payments or credit notes"):
        void_invoice(books.context, OPERATOR, made.number, reason="x")
    check_books(books)


@pytest.mark.parametrize(("currency", "unit", "net"), [("JPY", 1_000_000, 2_000_000), ("KWD", 1_000, 1_556_000)])
def test_currencies_without_and_with_three_decimals(books: Books, currency: str, unit: int, net: int) -> None:
    owner = Tenant(name="other", title="Other", currency=currency, created_ms=at(1, 1))
    with books.store.write() as tx:
        add_tenant(tx, owner, credit="100")
        tx.invoices.put_terms(terms(owner, "100000"))
        for number in range(4):
            minutes = at(3, 5, 11, 6 + number)  # 6, 7, 8 and 9 minutes at 3.111 an hour
            use(tx, f"o{number}", at(3, 5, 11), minutes, tenant=owner, project=f"p{number}", price="3.111")
    done = close_month(books.context, OPERATOR, "2026-03", tenant="other")[0].document
    assert done is not None
    assert done.net_micros == net
    assert sum(line.amount_micros for line in done.lines) == net
    assert all(line.amount_micros % unit == 0 for line in done.lines)
    assert all(abs(line.amount_micros - line.exact_micros) < unit for line in done.lines)
    assert posted(books, AccountKind.PREPAID, "other", currency) % unit == 0
    check_books(books)


def _meter(books: Books, running: Allocation, until_ms: int) -> None:
    with books.store.write() as tx:
        now = tx.allocations.get(running.id)
        assert now is not None
        metered(tx, now, until_ms=until_ms)
