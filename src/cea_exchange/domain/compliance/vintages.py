"""Which vintage a product is, and which vintages may pay for which year's emissions."""

import re

from msgspec import Struct

from cea_exchange.domain.compliance.ruled import Drafted, Year

# Two digits behind the first cycle's name.
_YEAR_DIGITS = re.compile(r"[0-9]{2}")


class FirstVintage(Drafted, frozen=True, kw_only=True):
    """The vintage that covers more than one year."""

    product: str
    first_year: Year
    vintage: Year


class ClosedVintages(Drafted, frozen=True, kw_only=True):
    """Vintages up to `last_vintage` pay for no year from `from_year` on."""

    last_vintage: Year
    from_year: Year


class Arrears(Drafted, frozen=True, kw_only=True):
    """Arrears of these years may be paid with later vintages too."""

    first_year: Year
    last_year: Year
    last_vintage: Year


class VintageRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What decides which allowances count.

    A vintage is known by its year, the first cycle's by its last one, 2020.

    Notes
    -----
    Rules: CEA-SUR-03, CEA-SUR-04, CEA-SUR-05.
    """

    first: FirstVintage
    closed: ClosedVintages
    arrears: Arrears | None = None

    def of_product(self, product: str) -> int | None:
        """Return a product's vintage: 2020 of `CEA`, 2021 of `CEA21`; None if it has none."""
        if product == self.first.product:
            return self.first.vintage
        digits = product.removeprefix(self.first.product)
        if digits == product or not _YEAR_DIGITS.fullmatch(digits):
            return None
        vintage = 2000 + int(digits)
        return vintage if vintage > self.first.vintage else None

    def product_of(self, vintage: int) -> str:
        """Return the product of a vintage; ValueError if there is no such vintage."""
        first, last = self.first.vintage, 2099
        if not first <= vintage <= last:
            raise ValueError(f"vintage: expected within {first}..{last}, got {vintage}")
        if vintage == first:
            return self.first.product
        return f"{self.first.product}{vintage % 100:02d}"

    def refusal(
        self, vintage: int, compliance_year: int, *, in_arrears: bool = False
    ) -> str | None:
        """Say why a vintage can't pay for a year's emissions; None if it can.

        Parameters
        ----------
        vintage : int
            As `of_product` gives it.
        compliance_year : int
            The year of the emissions.
        in_arrears : bool
            Whether the year's deadline has passed and this pays what was left unpaid.
        """
        arrears = self.arrears
        if in_arrears and arrears and arrears.first_year <= compliance_year <= arrears.last_year:
            if vintage <= arrears.last_vintage:
                return None
            return (
                f"vintage: expected one up to {arrears.last_vintage} for arrears of"
                f" {compliance_year}, got {vintage}"
            )
        if self._first_year(vintage) > compliance_year:
            return f"vintage: expected {compliance_year} or earlier for that year, got {vintage}"
        if vintage <= self.closed.last_vintage and compliance_year >= self.closed.from_year:
            return (
                f"vintage: expected one after {self.closed.last_vintage} for years from"
                f" {self.closed.from_year} on, got {vintage}, which must be carried over"
            )
        return None

    def may_pay(self, vintage: int, compliance_year: int, *, in_arrears: bool = False) -> bool:
        """Tell whether a vintage can pay for a year's emissions."""
        return self.refusal(vintage, compliance_year, in_arrears=in_arrears) is None

    def _first_year(self, vintage: int) -> int:
        return self.first.first_year if vintage == self.first.vintage else vintage
