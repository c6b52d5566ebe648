"""What is wrong with a file: each finding says its rule, what was expected and given, and a way."""

import re
from decimal import Decimal

import pytest

from cea_exchange.platform.checks import PlatformActError
from support.platform.platform_world import LI, coal_month, filed, planned_figures

pytestmark = pytest.mark.postgres_at_night

FINDING = re.compile(
    r"[a-z]+\.csv:[0-9]+: [a-z_]+: .*expected .*[ ,]got .*\(CEA-[A-Z]{3}-[0-9]{2}\).*: [a-z]"
)
WRONG = {
    "CEA-FIL-01": (filed(), filed()),
    "CEA-MRV-01": coal_month(202601),
    "CEA-MRV-03": (filed(unit="E2-1"), filed(parameter="A.hay"), filed(parameter="M")),
    "CEA-MRV-04": (filed(evidence="0" * 64), filed(parameter="B.bituminous", evidence="")),
    "CEA-MRV-15": (filed(origin="missing"), *coal_month()[1:]),
    "CEA-PWR-02": (filed(measure="kg"), *coal_month()[1:]),
    "CEA-VER-04": (*coal_month(), filed(parameter="invoice:A.bituminous", measure="kg")),
}


def findings(refused):
    """Return the findings of a refused file, without its last line, which is of the file."""
    *lines, _remedy = str(refused.value).split("FILE_REFUSED: ")[-1].splitlines()
    return lines


@pytest.mark.parametrize("rule", WRONG)
def test_each_finding_of_a_month_file_has_its_rule_and_its_remedy(world, rule):
    """CEA-FIL-01, CEA-MRV-01, CEA-MRV-03, CEA-MRV-04, CEA-MRV-15, CEA-PWR-02, CEA-VER-04."""
    with pytest.raises(PlatformActError) as refused:
        world.platform.months.enter(LI, "E1", world.month_file(*WRONG[rule]))
    lines = findings(refused)
    assert any(f"({rule})" in line for line in lines), lines
    assert [line for line in lines if not FINDING.match(line)] == []


def test_a_sum_that_does_not_add_up_has_its_rule_and_its_remedy(world):
    """CEA-FIL-01."""
    source = world.month_file(*coal_month())
    source = source.__class__(source.name, source.data.replace(b"125000.00", b"125000.01", 1))
    with pytest.raises(PlatformActError) as refused:
        world.platform.months.enter(LI, "E1", source)
    assert [line for line in findings(refused) if not FINDING.match(line)] == []


def test_each_finding_of_a_plan_file_has_its_rule_and_its_remedy(world):
    """CEA-MRV-10, CEA-MRV-15, CEA-PWR-09, CEA-STE-10."""
    changes = {
        "unit": "E9-1",
        "parameter": "A.hay",
        "missing_data": "default",
        "basis": "",
        "accuracy": Decimal(0),
        "meter": "",
    }
    for field, value in changes.items():
        with pytest.raises(PlatformActError) as refused:
            world.plan(figures=[replaced(planned_figures()[0], field, value)])
        assert [line for line in findings(refused) if not FINDING.match(line)] == []


def replaced(figure, field, value):
    return figure.__class__(
        **{name: getattr(figure, name) for name in figure.__struct_fields__} | {field: value}
    )
