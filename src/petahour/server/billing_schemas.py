"""What requests about invoices may say."""

from __future__ import annotations

from pydantic import Field

from petahour.control.billing_terms import parse_rate
from petahour.model.invoices import BillingTerms, Party, Seller
from petahour.server.schemas import Body, Text, Whole


class CloseBody(Body):
    month: Text = Field(examples=["2026-03"])
    tenant: Text | None = Field(None, description="All tenants without it.")
    draft: bool = Field(False, description="Only store what the invoices would be, without numbers.")


class PaymentBody(Body):
    key: Text = Field(description="The payment's reference: one key is one payment.")
    amount: Text | None = Field(None, description="A decimal number as text; all that is due without it.")
    note: Text = ""


class VoidBody(Body):
    reason: Text


class CreditNoteBody(Body):
    line: Whole = Field(description="The line's number on the invoice, from 1.")
    amount: Text | None = Field(None, description="Before tax; what the line has left without it.")
    reason: Text
    key: Text = Field(description="One key is one credit note, however often sent.")


class PartyBody(Body):
    name: Text = ""
    address: list[Text] = Field(default_factory=list)
    country: Text = ""
    tax_id: Text = ""
    email: Text = ""
    phone: Text = ""
    bank: list[Text] = Field(default_factory=list)

    def party(self) -> Party:
        return Party(
            name=self.name,
            address=tuple(self.address),
            country=self.country,
            tax_id=self.tax_id,
            email=self.email,
            phone=self.phone,
            bank=tuple(self.bank),
        )


class SellerBody(Body):
    party: PartyBody
    prefix: Text = "PH"
    terms_days: Whole = 30
    note: Text = ""

    def seller(self) -> Seller:
        return Seller(party=self.party.party(), prefix=self.prefix, terms_days=self.terms_days, note=self.note)


class TermsBody(Body):
    party: PartyBody
    tax_name: Text = "VAT"
    tax_rate: Text = Field("0", examples=["13%", "0.13"])
    terms_days: Whole | None = None
    language: Text = "en"

    def terms(self, tenant: str) -> BillingTerms:
        return BillingTerms(
            tenant=tenant,
            party=self.party.party(),
            tax_name=self.tax_name,
            tax_rate_ppm=parse_rate(self.tax_rate),
            terms_days=self.terms_days,
            language=self.language,
        )
