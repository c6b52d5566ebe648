"""What a shortfall of 2025 costs, by the days it may happen on: worked example 36."""

from cea_exchange.domain.compliance.penalties import Traded, month_before
from cea_exchange.domain.compliance.rules import ComplianceRules


def test_the_deadline_is_under_the_code_and_its_month_has_the_price():
    """CEA-PEN-06, CEA-SUR-02, example 36: due on 2026-12-31, after 2026-08-15."""
    rules = ComplianceRules.load()
    deadline = rules.obligations.cycle_of(2025).deadline
    assert deadline == 20261231
    assert rules.penalties.has_stages(2025)
    assert not rules.penalties.has_stages(2024)
    # The fine of the second stage is decided in 2027; its price is of the deadline's month.
    assert month_before(deadline) == (20261201, 20261231)
    december = Traded(amount=80_00 * 1_000_000, tonnes=1_000_000)
    fine = rules.penalties.fine_after_term(2025, 4_000, december)
    assert (fine.least, fine.most) == (160_000_000, 320_000_000)
