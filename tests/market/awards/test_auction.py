"""Auctions on their own: the library's function, files of bids, and the command."""

import json
import re

import pytest

from cea_exchange import AuctionBid, clear_auction
from cea_exchange.cli.main import run
from cea_exchange.matching.auction import bids_parse

BIDS = """account,price,tonnes,group
alice,60.00,40000,
bob,62.50,30000,north
carol,58.00,50000,north
dan,,5000,
erin,57.99,20000,
"""


def test_an_auction_is_awarded_from_text():
    bids = [
        ("alice", "60.00", 40_000),
        AuctionBid("bob", "62.50", 30_000),
        ("carol", "58.00", 50_000),
    ]
    result = clear_auction(bids, 100_000, reserve_price="55.00")
    assert result[:4] == ("58.00", 100_000, "5800000.00", None)
    assert [(bid.account, bid.won, bid.pays) for bid in result.bids] == [
        ("alice", 40_000, "58.00"),
        ("bob", 30_000, "58.00"),
        ("carol", 30_000, "58.00"),
    ]


def test_settings_groups_and_bids_without_a_price_are_taken():
    result = clear_auction(
        bids_parse(BIDS.splitlines()),
        100_000,
        pricing="pay_as_bid",
        group_cap_bp=4_000,
        noncompetitive_max_bp=1_000,
    )
    won = [(bid.account, bid.won, bid.pays) for bid in result.bids]
    # The group wins 40000 t, dan first; erin what is left: 100000 - 5000 - 30000 - 40000 - 10000.
    assert won == [
        ("alice", 40_000, "60.00"),
        ("bob", 30_000, "62.50"),
        ("carol", 10_000, "58.00"),
        ("dan", 5_000, "57.99"),
        ("erin", 15_000, "57.99"),
    ]
    # 2400000 + 1875000 + 580000 + 20000 x 57.99
    assert result.amount == "6014800.00"


def test_an_auction_that_is_short_is_cancelled():
    result = clear_auction([("alice", "60.00", 10)], 11, undersubscription="cancel")
    assert result[:4] == (None, 0, "0.00", "BIDS_SHORT")
    assert result.bids[0].won == 0 and result.bids[0].pays is None


@pytest.mark.parametrize(
    ("bid", "settings", "error", "message"),
    [
        (("a", 60.0, 1), {}, TypeError, "bids[0]: price: expected str"),
        (("a", "60", 1), {}, ValueError, "bids[0]: price: expected yuan with two decimals"),
        (("a",), {}, TypeError, "bids[0]: expected account, price, tonnes"),
        (3, {}, TypeError, "bids[0]: expected account, price, tonnes"),
        (("a", 60, 1), {}, TypeError, "bids[0]: price: expected str such as '97.49', got int"),
        (("a", "60.00", 1.0), {}, TypeError, "bids[0].tonnes: expected int, got float"),
        (("a", "60.00", 0), {}, ValueError, "bids[0].tonnes: expected within 1.."),
        (("a", "60.00", 1), {"reserve_price": "5"}, ValueError, "reserve_price: price: expected"),
        (("a", "60.00", 1), {"tie": "size"}, ValueError, "tie: expected time or random"),
    ],
)
def test_what_is_wrong_is_named(bid, settings, error, message):
    with pytest.raises(error, match=re.escape(message)):
        clear_auction([bid], 100, **settings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: expected columns account,price,tonnes[,group], got ''"),
        ("account,price\n", "1: expected columns account,price,tonnes[,group], got"),
        ("account,price,tonnes\n,1.00,5\n", "2: account: expected a name, got nothing"),
        ("account,price,tonnes\na,1.0,5\n", "2: price: expected yuan with two decimals"),
        ("account,price,tonnes\na,1.00,5.5\n", "2: tonnes: expected a whole number, got '5.5'"),
        ("account,price,tonnes\na,1.00\n", "2: tonnes: expected a whole number, got ''"),
        ("account,price,tonnes\na,1.00,5,6\n", "2: expected 3 fields, got 4"),
        ('account,price,tonnes\n"a,1.00,5\n', "2: expected CSV, unexpected end of data"),
    ],
)
def test_a_file_of_bids_is_read_strictly(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        bids_parse(text.splitlines())


@pytest.fixture
def bids_file(tmp_path):
    path = tmp_path / "bids.csv"
    path.write_text(BIDS, encoding="utf-8")
    return path


def test_the_command_prints_what_each_bid_wins_and_pays(bids_file, capsys):
    options = ["--tonnes", "100000", "--reserve", "55.00", "--noncompetitive-max-bp", "1000"]
    assert run(["auction", str(bids_file), *options]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["bob", "north", "62.50", "30000", "30000", "58.00"] in lines
    assert ["dan", "any", "5000", "5000", "58.00"] in lines
    assert ["erin", "57.99", "20000", "0"] in lines
    assert lines[-3:] == [
        ["clearing", "price", "58.00"],
        ["tonnes", "awarded", "100000"],
        ["amount,", "yuan", "5800000.00"],
    ]


def test_a_file_may_begin_with_a_byte_order_mark(bids_file, capsys):
    bids_file.write_text(BIDS, encoding="utf-8-sig")
    assert run(["auction", str(bids_file), "--tonnes", "100000"]) == 0
    assert "clearing price" in capsys.readouterr().out


def test_the_command_gives_json(bids_file, capsys):
    options = ["--tonnes", "100000", "--pricing", "pay_as_bid", "--json"]
    assert run(["auction", str(bids_file), *options]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["clearing_price"] == "58.00" and content["amount"] == "6015000.00"
    assert content["bids"][1] == {
        "account": "bob",
        "group": "north",
        "price": "62.50",
        "tonnes": 30_000,
        "won": 30_000,
        "pays": "62.50",
    }


def test_a_cancelled_auction_is_an_answer(bids_file, capsys):
    options = ["--tonnes", "1000000", "--undersubscription", "cancel"]
    assert run(["auction", str(bids_file), *options]) == 0
    assert "BIDS_SHORT" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tonnes", "0"], "offered_tonnes: expected within 1.."),
        (["--tonnes", "5", "--tie", "size"], "tie: expected time or random or pro_rata"),
        (["--tonnes", "5", "--reserve", "5"], "reserve_price: price: expected yuan"),
        (["--tonnes", "5", "--minimum", "-1"], "bid_tonnes_min: expected within 0.."),
        ([], "Missing option '--tonnes'"),
    ],
)
def test_wrong_options_end_with_one_line(bids_file, options, message, capsys):
    assert run(["auction", str(bids_file), *options]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_wrong_files_end_with_one_line(tmp_path, capsys):
    path = tmp_path / "bids.csv"
    path.write_text("account,price,tonnes\na,60,1\n", encoding="utf-8")
    assert run(["auction", str(path), "--tonnes", "5"]) == 2
    assert f"{path}:2: price: expected yuan" in capsys.readouterr().err
    path.write_text("account,price,tonnes\na,999999.00,1\n", encoding="utf-8")
    assert run(["auction", str(path), "--tonnes", "5"]) == 2
    assert f"{path}: bids[0].price: expected within" in capsys.readouterr().err
    assert run(["auction", str(tmp_path / "none.csv"), "--tonnes", "5"]) == 2
    assert "none.csv: expected bids, No such file" in capsys.readouterr().err
