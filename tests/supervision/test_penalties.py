"""What abuse may cost; RB3's example 27."""

import pytest

from cea_exchange.domain.compliance.enforcement.abuse import abuse_laws, abuse_penalty
from cea_exchange.supervision.columns.market import Columns
from cea_exchange.supervision.gains import Gain, gain_of
from support.supervision.market_days import MarketDays

YUAN = 100


@pytest.mark.parametrize(
    ("market", "abuse", "gain", "least", "most", "confiscated"),
    [
        ("cea", "manipulation", 600_000, 600_000, 6_000_000, 600_000),
        ("cea", "manipulation", 500_000, 500_000, 5_000_000, 500_000),
        ("cea", "manipulation", 100_000, 500_000, 5_000_000, 100_000),
        ("cea", "manipulation", -1, 500_000, 5_000_000, 0),
        ("cea", "disturbance", 0, 100_000, 1_000_000, 0),
        ("cea", "disturbance", 100_001, 100_001, 1_000_010, 100_001),
        ("ccer", "manipulation", 900_000, 10_000, 100_000, 0),
        ("ccer", "disturbance", 0, 10_000, 100_000, 0),
    ],
)
def test_the_fine_is_of_times_the_gain_where_that_reaches_an_amount(
    market, abuse, gain, least, most, confiscated
):
    """CEA-ABU-01, CEA-ABU-02, CEA-ABU-03."""
    penalty = abuse_penalty(market, abuse, gain * YUAN)
    assert (penalty.organisation.least, penalty.organisation.most) == (least * YUAN, most * YUAN)
    assert penalty.confiscated == confiscated * YUAN


def test_persons_are_fined_beside_the_firm_where_the_text_says_so():
    """CEA-ABU-01, CEA-ABU-02."""
    persons = {
        (market, abuse): law.persons and (law.persons.least, law.persons.most)
        for market, laws in abuse_laws().items()
        for abuse, law in laws.items()
    }
    assert persons == {
        ("cea", "manipulation"): (100_000, 1_000_000),
        ("cea", "disturbance"): (50_000, 500_000),
        ("ccer", "manipulation"): None,
        ("ccer", "disturbance"): None,
    }


def test_a_gain_is_realised_and_marked_to_the_close():
    """CEA-ABU-04: 1,000 t bought at 90.00, 600 sold at 92.00, 400 kept; the close is 91.00."""
    days = MarketDays("X", "Y", "O", "P")
    days.at("10:00:00")
    days.deal("O", "X", "90.00", 1_000)
    days.deal("X", "P", "92.00", 600)
    days.deal("X", "Y", "91.00", 50)  # among them: nothing
    days.deal("O", "P", "91.00", 1)
    days.close()
    columns = Columns(days.tape())
    close = int(columns.closes[0, 0])
    gain = gain_of(columns, ("X", "Y"), 1, 10**6)
    assert gain == Gain(realised=600 * 2 * YUAN, marked=400 * (close - 9_000))
    assert gain.total == 600 * 200 + 400 * (close - 9_000)
    first = int(columns.trades["seq"][1])
    assert gain_of(columns, ("X", "Y"), first, 10**6).realised == 0
