"""Money: integer micro-units of one currency; floats and mixed currencies are refused."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from petahour.model.errors import ValidationError

MICROS = 1_000_000
MAX_MICROS = 10**18  # fits a signed 64-bit column with room to add nine such sums

# ISO 4217 minor units: how many decimals people write. Amounts are kept in micro-units whatever these say.
MINOR_DIGITS = {
    "AED": 2, "AUD": 2, "BHD": 3, "CAD": 2, "CHF": 2, "CNY": 2, "EUR": 2, "GBP": 2, "HKD": 2, "INR": 2,
    "JPY": 0, "KRW": 0, "KWD": 3, "MYR": 2, "SAR": 2, "SGD": 2, "THB": 2, "USD": 2, "VND": 0,
}  # fmt: skip


@dataclass(frozen=True, order=False, slots=True)
class Money:
    """An amount in micro-units. Prevents adding CNY to USD and losing fen to binary fractions."""

    micros: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.micros) is not int:
            raise ValidationError(
                field="micros",
                value=self.micros,
                rule="money is an integer number of micro-units",
                remedy="Parse decimal text with Money.parse.",
            )
        if abs(self.micros) > MAX_MICROS:
            raise ValidationError(
                field="micros",
                value=self.micros,
                rule=f"at most {MAX_MICROS} micro-units",
                remedy="Split the amount.",
            )
        check_currency(self.currency)

    @classmethod
    def parse(cls, text: str, currency: str, *, field: str = "amount") -> Money:
        """``"12.50"`` and ``"CNY"`` to 12,500,000 micros. Raises ValidationError on NaN or past six decimals."""
        try:
            amount = Decimal(text)
        except InvalidOperation:
            raise ValidationError(
                field=field, value=text, rule="a decimal number", remedy='Write it like "12.50".'
            ) from None
        if not amount.is_finite():
            raise ValidationError(field=field, value=text, rule="a finite number", remedy='Write it like "12.50".')
        if amount.adjusted() > 12:
            raise ValidationError(
                field=field, value=text, rule="at most 10^12 units", remedy="Split the amount into smaller ones."
            )
        micros = amount * MICROS
        if micros != micros.to_integral_value():
            raise ValidationError(
                field=field, value=text, rule="at most six decimals", remedy="Round the amount to a micro-unit."
            )
        return cls(int(micros), currency)

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.micros + other.micros, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.micros - other.micros, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.micros, self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.micros < other.micros

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.micros <= other.micros

    def __str__(self) -> str:
        return f"{format_micros(self.micros, self.currency)} {self.currency}"

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise ValidationError(
                field="currency",
                value=other.currency,
                rule=f"amounts in {self.currency} mix only with {self.currency}",
                remedy="Convert explicitly, at a recorded rate.",
            )


def check_currency(currency: str) -> str:
    """The ISO 4217 code itself, or ValidationError."""
    if currency not in MINOR_DIGITS:
        raise ValidationError(
            field="currency",
            value=currency,
            rule="a known ISO 4217 code in capitals",
            remedy="Use one of: " + ", ".join(sorted(MINOR_DIGITS)) + ".",
        )
    return currency


def format_micros(micros: int, currency: str) -> str:
    """Decimal text with at least the currency's minor digits and no trailing zeros beyond them."""
    sign = "-" if micros < 0 else ""
    whole, fraction = divmod(abs(micros), MICROS)
    digits = MINOR_DIGITS.get(currency, 2)
    shown = f"{fraction:06d}"
    kept = max(digits, len(shown.rstrip("0")))
    return f"{sign}{whole:,}" + (f".{shown[:kept]}" if kept else "")


def round_micros(exact: Decimal) -> int:
    """The one rounding of the house: half to even, to a whole micro-unit."""
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def round_ratio(numerator: int, denominator: int) -> int:
    """The same rounding of a fraction of whole numbers, exact at any size. ``denominator`` is positive."""
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest + (whole & 1) > denominator)
