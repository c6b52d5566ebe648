"""The voluntary side of a year: its exchange, its registry, and the cash between them."""

from collections import Counter
from shutil import copytree

import msgspec
import pytest

from cea_exchange.ccer.store import CcerStore
from cea_exchange.domain.profile import load_profile
from cea_exchange.year.outcome.voluntary import voluntary_reconciled
from cea_exchange.year.run import YearRun
from support.registry.ledger_by_hand import changed
from support.year.small import SMALL, played
from support.year.tables import table_rows

pytestmark = pytest.mark.slow

RULES = load_profile("ccer").rules
MANY = msgspec.structs.replace(SMALL, entities=30, orders=200, behaviour={"offset_one_in": 1})


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    """A folder with a year, and where it stands at its end."""
    folder = tmp_path_factory.mktemp("voluntary") / "out"
    outcome = played(folder, MANY)
    return folder, YearRun(folder, MANY).run(), outcome


def test_ccers_are_traded_at_their_exchange_and_delivered_by_their_registry(year):
    """CCER-STL-01, CCER-FEE-01, CCER-LST-05: what is bought is delivered, cancelled and offset."""
    folder, state, outcome = year
    rows = list(table_rows(folder, "ccer_trades"))
    assert len(rows) > 2 and {row["state"] for row in rows} == {"posted"}
    assert {row["method"] for row in rows} == {"listed"}
    orders = Counter()
    for row in rows:
        assert row["seller"].endswith("-OWNER") and row["buyer"].startswith("A-")
        value = int(row["price_fen"]) * int(row["tonnes"])
        assert int(row["cash_fen"]) == value
        orders[row["trading_date"], row["buyer"], row["instrument"]] += int(row["buy_fee_fen"])
        # Rounded up once for an order (CCER-FEE-01).
        assert 0 <= 10_000 * int(row["buy_fee_fen"]) - value * RULES.fee_bp < 10_000
    assert len(orders) == len(rows)
    bought = sum(int(row["tonnes"]) for row in rows)
    offset = sum(int(row["tonnes"]) for row in table_rows(folder, "offsets"))
    assert bought == offset == outcome.figures.ccer_tonnes == outcome.figures.offset_tonnes
    left = {(row["account"][:2], row["compartment"]) for row in table_rows(folder, "ccer_balances")}
    assert ("A-", "trading") not in left and ("A-", "registration") not in left
    assert {bulletin.market for bulletin in state.ccer.bulletins} == {"ccer"}


def test_the_cash_of_both_markets_is_shown_and_comes_out(year):
    """CCER-STL-02, CEA-STL-01: what the banks took in is what everybody has."""
    folder, _, outcome = year
    markets = Counter()
    for row in table_rows(folder, "cash"):
        markets[row["market"]] += int(row["fen"])
    assert markets == {"allowances": 0, "ccers": 0}
    figures = outcome.figures
    assert figures.cash_fen > 0 < figures.ccer_cash_fen and figures.ccer_fees_fen > 0
    fees = sum(
        int(row["buy_fee_fen"]) + int(row["sell_fee_fen"])
        for row in table_rows(folder, "ccer_trades")
    )
    assert figures.ccer_fees_fen == fees
    names = [each.name for each in outcome.reconciled if "cash" in each.name]
    assert len(names) == 2 and outcome.agrees


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda ccer: {"cash": msgspec.structs.replace(ccer.cash, fees=1)}, "cash of CCERs"),
        (lambda ccer: {"bulletins": []}, "CCERs by day and method"),
    ],
)
def test_what_does_not_come_out_is_noticed(year, spoil, what):
    """CCER-STL-02"""
    folder, state, _ = year
    with CcerStore.open_reader(folder) as ccer:
        spoilt = msgspec.structs.replace(state.ccer, **spoil(state.ccer))
        found = [*voluntary_reconciled(ccer, spoilt)]
    assert [each.name[: len(what)] for each in found if not each.agrees] == [what]


def test_a_delivery_of_other_tonnes_is_noticed(year, tmp_path):
    """CCER-STL-01: trade by trade, and by the CCER registry's own audit."""
    folder, state, _ = year
    copytree(folder / "ccer", tmp_path / "ccer")
    with CcerStore.open(tmp_path) as ccer:
        changed(ccer, "UPDATE deliveries SET entry_id = entry_id - 1 WHERE kind = 'trade'")
        found = [each.name for each in voluntary_reconciled(ccer, state.ccer) if not each.agrees]
    assert [name.partition(":")[0] for name in found] == [
        "CCER registry against its postings, log and audit",
        "CCERs trade by trade",
    ]
