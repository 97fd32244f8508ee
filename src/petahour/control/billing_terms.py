"""Who bills and who is billed: the seller, and each tenant's name, address, tax and terms."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from petahour.control.authorize import Action, authorize
from petahour.control.context import Context
from petahour.control.tenants import known_tenant
from petahour.model.errors import ConflictError, ValidationError
from petahour.model.invoices import PPM, BillingTerms, Party, Seller
from petahour.model.tenants import Caller, Tenant
from petahour.store.protocol import Transaction

MAX_LINES = 8
MAX_LINE_LENGTH = 200
MAX_TERMS_DAYS = 366
LANGUAGES = ("en", "zh")
_PREFIX = re.compile(r"[A-Z][A-Z0-9]{0,9}")


def set_seller(context: Context, caller: Caller, seller: Seller) -> Seller:
    """Name who issues invoices. What was issued already keeps the seller of its time."""
    authorize(caller, Action.MANAGE_INVOICES)
    _check_party(seller.party)
    _check_days(seller.terms_days)
    _check_lines("note", (seller.note,))
    if _PREFIX.fullmatch(seller.prefix) is None:
        raise ValidationError(
            field="prefix",
            value=seller.prefix,
            rule="1 to 10 capital letters and digits, beginning with a letter",
            remedy='Write it like "PH".',
        )
    with context.store.write() as tx:
        tx.invoices.put_seller(seller)
    return seller


def get_seller(context: Context, caller: Caller) -> Seller:
    """Who issues invoices. Raises ConflictError when nobody is named yet."""
    authorize(caller, Action.MANAGE_INVOICES)
    with context.store.read() as tx:
        return require_seller(tx)


def set_terms(context: Context, caller: Caller, terms: BillingTerms) -> BillingTerms:
    """A tenant's name on invoices, address, tax and days to pay, for invoices from now on."""
    authorize(caller, Action.MANAGE_INVOICES)
    _check_party(terms.party)
    _check_lines("tax_name", (terms.tax_name,))
    if terms.terms_days is not None:
        _check_days(terms.terms_days)
    if not 0 <= terms.tax_rate_ppm <= PPM:
        raise ValidationError(
            field="tax_rate", value=terms.tax_rate_ppm, rule="from 0 to 100 percent", remedy='Write it like "13%".'
        )
    if terms.language not in LANGUAGES:
        raise ValidationError(
            field="language", value=terms.language, rule="a language of the documents", remedy="Use en or zh."
        )
    with context.store.write() as tx:
        known_tenant(tx, terms.tenant)
        tx.invoices.put_terms(terms)
    return terms


def get_terms(context: Context, caller: Caller, tenant: str) -> BillingTerms:
    """A tenant's billing terms; without any set, its title and no tax."""
    authorize(caller, Action.READ_INVOICE, tenant)
    with context.store.read() as tx:
        return terms_of(tx, known_tenant(tx, tenant))


def terms_of(tx: Transaction, tenant: Tenant) -> BillingTerms:
    """The terms inside a transaction. A party without a name has the tenant's title."""
    terms = tx.invoices.terms(tenant.name) or BillingTerms(tenant=tenant.name, party=Party(name=tenant.title))
    return terms if terms.party.name else replace(terms, party=replace(terms.party, name=tenant.title))


def require_seller(tx: Transaction) -> Seller:
    """The seller inside a transaction, or ConflictError."""
    seller = tx.invoices.seller()
    if seller is None:
        raise ConflictError(
            field="seller",
            value=None,
            rule="an invoice names who issues it, and nobody is named yet",
            remedy='Name the seller: "petahour invoices seller --name ... --address ...".',
        )
    return seller


def parse_rate(text: str, *, field: str = "tax_rate") -> int:
    """``"13%"`` or ``"0.13"`` to 130,000 parts per million. Raises ValidationError."""
    percent = text.strip().endswith("%")
    try:
        rate = Decimal(text.strip().removesuffix("%")) * (PPM // 100 if percent else PPM)
    except InvalidOperation:
        rate = Decimal("NaN")
    if not rate.is_finite() or rate != rate.to_integral_value() or not 0 <= rate <= PPM:
        raise ValidationError(
            field=field,
            value=text,
            rule="from 0 to 100 percent, at most four decimals of a percent",
            remedy='Write it like "13%" or "0.13".',
        )
    return int(rate)


def _check_party(party: Party) -> None:
    for field in ("name", "country", "tax_id", "email", "phone"):
        _check_lines(field, (str(getattr(party, field)),))
    for field, lines in (("address", party.address), ("bank", party.bank)):
        if len(lines) > MAX_LINES:
            raise ValidationError(
                field=field, value=len(lines), rule=f"at most {MAX_LINES} lines", remedy="Write fewer lines."
            )
        _check_lines(field, lines)


def _check_lines(field: str, lines: tuple[str, ...]) -> None:
    for line in lines:
        if len(line) > MAX_LINE_LENGTH or not line.isprintable():
            raise ValidationError(
                field=field,
                value=line,
                rule=f"at most {MAX_LINE_LENGTH} printable characters a line",
                remedy="Shorten it, and give each line by itself.",
            )


def _check_days(days: int) -> None:
    if not 0 <= days <= MAX_TERMS_DAYS:
        raise ValidationError(
            field="terms_days",
            value=days,
            rule=f"from 0 to {MAX_TERMS_DAYS} days",
            remedy="Choose one in that range.",
        )
