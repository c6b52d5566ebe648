"""The second generator of the measurement: its schemes are found, its honest days are calm."""

import pytest

from bench.surveillance.accuracy import found_of, honest_alerts
from bench.surveillance.loaded import loaded_day
from bench.surveillance.schemes import Grade
from bench.surveillance.street import Street

SMALL = 0


@pytest.mark.parametrize("pattern", ["spoofing", "layering", "ramping", "marking_close"])
@pytest.mark.parametrize("speed", [0, 1, 2])
def test_a_small_scheme_is_found_at_each_speed(pattern, speed):
    """Rules: CEA-SVL-06, CEA-SVL-07, CEA-SVL-10, CEA-SVL-11."""
    assert found_of((pattern, Grade(SMALL, speed), 1)).is_found


def test_a_price_that_is_held_by_orders_renewed_each_two_minutes_is_a_floor():
    """Rules: CEA-SVL-13."""
    assert found_of(("building", Grade(SMALL, 2), 0)).is_found


def test_an_honest_street_and_a_crowded_load_have_no_alerts():
    """Rules: CEA-SVL-01. Of eight accounts at 1,000 commands a second many match by chance."""
    street = Street(77)
    street.scene.run()
    crowded = loaded_day(3, accounts=8, rate=1_000, seconds=8)
    assert honest_alerts([street.scene.tape(), crowded]) == {}
