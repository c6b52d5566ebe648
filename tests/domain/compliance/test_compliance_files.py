"""The compliance cycle's numbers: packaged, strict, and with or without their drafts."""

import re
from importlib import resources

import pytest

from cea_exchange.domain.compliance.offsets import OffsetRules
from cea_exchange.domain.compliance.ruled import ComplianceRulesError, parse_rules
from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.domain.compliance.vintages import VintageRules

FILES = resources.files("cea_exchange.domain.compliance")
VINTAGES = FILES.joinpath("vintages.toml").read_text(encoding="utf-8")


def test_drafts_can_be_left_out():
    rules, adopted = ComplianceRules.load(), ComplianceRules.load(drafts=False)
    assert [year.year for year in rules.allocation.year] == [2023, 2024, 2025, 2026]
    assert [year.year for year in adopted.allocation.year] == [2023, 2024]
    assert rules.vintages.arrears and adopted.vintages.arrears is None
    assert rules.offsets.new_only and adopted.offsets.new_only is None
    assert rules.adjustment.no_new_unpaid_from and adopted.adjustment.no_new_unpaid_from is None
    for same in ("obligations", "penalties", "carryover"):
        assert getattr(rules, same) == getattr(adopted, same)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[closed]", "[closed]\nmore = 1", "unknown field `more` - at `$.closed`"),
        ("last_vintage = 2024", 'last_vintage = "2024"', r"`int`, got `str` - at `$.closed.last_v"),
        ("last_vintage = 2024", "last_vintage = 1999", r">= 2019 - at `$.closed.last_vintage`"),
        ("from_year = 2025\n", "", r"`from_year` - at `$.closed`"),
        ('rule = "CEA-SUR-04"', 'rule = "none"', r"at `$.closed.rule`"),
        ('rule = "CEA-SUR-04"', "", r"`rule` - at `$.closed`"),
        ("[closed]", "[closed", "vintages.toml: "),
    ],
)
def test_a_file_that_does_not_fit_is_refused(old, new, message):
    text = VINTAGES.replace(old, new, 1)
    assert text != VINTAGES
    with pytest.raises(ComplianceRulesError, match=re.escape(message)):
        parse_rules(text, VintageRules, "vintages.toml", drafts=True)


def test_a_fraction_is_read_exactly():
    text = FILES.joinpath("offsets.toml").read_text(encoding="utf-8")
    with pytest.raises(ComplianceRulesError, match=r"`int`, got `float` - at `\$.cap_bp.value`"):
        parse_rules(text.replace("value = 500", "value = 5.5"), OffsetRules, "x", drafts=True)
