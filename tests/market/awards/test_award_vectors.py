"""The award tables worked out by hand in protocol/vectors/award, on both cores."""

import json

import pytest

from cea_exchange.domain.units import cash_format, cash_parse, price_format, price_parse
from cea_exchange.matching.award import AwardRules, Bid
from support.market.award_brute import clearing_of, demand
from support.market.award_cores import CORES
from support.places import ROOT

VECTORS = ROOT / "protocol" / "vectors" / "award"
TABLES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in VECTORS.glob("*")}
# What counts non-competitive bids, or cancels, is not demand at a price.
PRICED = [
    name
    for name, table in TABLES.items()
    if table["cancelled"] is None and all(row["price"] for row in table["bids"])
]


def rules_of(table):
    words = dict(table["rules"])
    if "reserve_price" in words:
        words["reserve_price_fen"] = price_parse(words.pop("reserve_price"))
    return AwardRules(**words)


def bids_of(table):
    accounts, groups = {}, {None: 0}
    return [
        Bid(
            price=price_parse(row["price"]) if row["price"] else 0,
            tonnes=row["tonnes"],
            account_index=accounts.setdefault(row["account"], len(accounts)),
            group_index=groups.setdefault(row["group"], len(groups)),
            competitive=row["price"] is not None,
        )
        for row in table["bids"]
    ]


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("name", sorted(TABLES))
def test_the_award_is_the_one_worked_out_by_hand(name, core):
    """CEA-AWD-01 to CEA-AWD-09."""
    table = TABLES[name]
    bids, rules = bids_of(table), rules_of(table)
    found = CORES[core](bids, table["offered_tonnes"], rules)
    paid = [
        price_format(rules.paid(bid, found.clearing_price)) if fill else None
        for bid, fill in zip(bids, found.fills, strict=True)
    ]
    assert [row["won"] for row in table["bids"]] == list(found.fills)
    assert [row["pays"] for row in table["bids"]] == paid
    price = found.clearing_price
    assert table["clearing_price"] == (price_format(price) if price is not None else None)
    assert table["cancelled"] == found.cancelled_reason


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_tables_own_figures_agree(name):
    """What is won at what price gives the amount, and no more is won than is offered."""
    table = TABLES[name]
    won = [(row["won"], row["pays"]) for row in table["bids"] if row["won"]]
    amount = sum(tonnes * cash_parse(price) for tonnes, price in won)
    assert table["amount"] == (cash_format(amount) if won else None)
    assert (table["clearing_price"] is None) == (not won)
    assert sum(tonnes for tonnes, _ in won) <= table["offered_tonnes"]
    assert table["about"] and table["arithmetic"]


@pytest.mark.parametrize("name", sorted(PRICED))
def test_a_table_agrees_with_demand_counted_price_by_price(name):
    table = TABLES[name]
    bids, rules = bids_of(table), rules_of(table)
    curve = demand(bids, table["offered_tonnes"], rules)
    assert sum(row["won"] for row in table["bids"]) == max((won for _, won in curve), default=0)
    price = clearing_of(curve)
    assert table["clearing_price"] == (price_format(price) if price is not None else None)


def test_the_tables_show_every_setting_both_ways():
    assert len(TABLES) >= 20
    used = {
        (name, str(value)) for table in TABLES.values() for name, value in table["rules"].items()
    }
    names = {name.replace("reserve_price", "reserve_price_fen") for name, _ in used}
    assert names == set(AwardRules.__dataclass_fields__)
    assert {("tie", "random"), ("tie", "pro_rata"), ("pricing", "pay_as_bid")} <= used
    assert {row["cancelled"] for row in TABLES.values()} == {None, "BIDS_SHORT", "RESERVE_NOT_MET"}
