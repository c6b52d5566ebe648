"""Which vintage a product is, and which may pay for which year."""

import pytest

from cea_exchange.domain.compliance.rules import ComplianceRules

RULES = ComplianceRules.load().vintages
ADOPTED = ComplianceRules.load(drafts=False).vintages
VINTAGES = (2020, 2021, 2022, 2023, 2024, 2025, 2026, 2027)


@pytest.mark.parametrize(
    ("product", "vintage"),
    [("CEA", 2020), ("CEA21", 2021), ("CEA25", 2025), ("CEA99", 2099)],
)
def test_a_product_and_its_vintage(product, vintage):
    assert RULES.of_product(product) == vintage
    assert RULES.product_of(vintage) == product


@pytest.mark.parametrize(
    "product",
    ["CCER", "CEA19", "CEA20", "CEA2", "CEA2021", "CEA21A", "XCEA21", "cea21", "CEA２１", ""],
)
def test_other_products_have_none(product):
    assert RULES.of_product(product) is None


@pytest.mark.parametrize("vintage", [2019, 2100])
def test_other_vintages_have_no_product(vintage):
    with pytest.raises(ValueError, match=rf"vintage: expected within 2020\.\.2099, got {vintage}"):
        RULES.product_of(vintage)


@pytest.mark.parametrize(
    ("year", "payers"),
    [
        (2019, [2020]),
        (2020, [2020]),
        (2021, [2020, 2021]),
        (2023, [2020, 2021, 2022, 2023]),
        (2024, [2020, 2021, 2022, 2023, 2024]),
        (2025, [2025]),
        (2026, [2025, 2026]),
    ],
)
def test_a_year_takes_its_own_and_earlier_vintages(year, payers):
    """CEA-SUR-03; CEA-SUR-04 from 2025 on. The vintage of 2019 and 2020 pays for both."""
    assert [vintage for vintage in VINTAGES if RULES.may_pay(vintage, year)] == payers
    assert [vintage for vintage in VINTAGES if ADOPTED.may_pay(vintage, year)] == payers


@pytest.mark.parametrize(
    ("year", "payers"),
    [
        (2019, VINTAGES[:-1]),
        (2024, VINTAGES[:-1]),
        (2025, (2025,)),
        (2026, (2025, 2026)),
    ],
)
def test_arrears_take_later_vintages(year, payers):
    """CEA-SUR-05, which is a draft: without it arrears are paid like the year itself."""
    found = tuple(each for each in VINTAGES if RULES.may_pay(each, year, in_arrears=True))
    assert found == payers
    for each in VINTAGES:
        assert ADOPTED.may_pay(each, year, in_arrears=True) == ADOPTED.may_pay(each, year)


def test_a_refusal_says_what_was_expected():
    assert RULES.refusal(2024, 2023) == "vintage: expected 2023 or earlier for that year, got 2024"
    assert RULES.refusal(2023, 2025) == (
        "vintage: expected one after 2024 for years from 2025 on, got 2023, which must be carried"
        " over"
    )
    assert RULES.refusal(2027, 2024, in_arrears=True) == (
        "vintage: expected one up to 2026 for arrears of 2024, got 2027"
    )
    assert RULES.refusal(2025, 2025) is None
