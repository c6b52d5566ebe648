"""Published results of auctions: bids made up with their figures, and cleared."""

import json

import pytest

from cea_exchange.cli.main import run
from cea_exchange.loadtest.auctions import (
    LOT_TONNES,
    AuctionError,
    bids_of,
    clear,
    results_read,
)
from cea_exchange.matching.award import AwardRules
from support.market.award_brute import clearing_of, demand
from support.places import ROOT

PUBLISHED = (
    ROOT.parent / "shared/data/eua/eex_primary_auctions_2013_2018.csv"
)
HEADER = "date,auction,price_eur,min_bid,max_bid,mean_bid,median_bid,volume,bids_total,"
HEADER += "n_bids,n_bidders\n"
# Made up, in the layout of the published ones.
ROWS = [
    "2018-01-08,one,7.7,6.5,8.12,7.66,7.7,4000000,9000000,81,20",
    "2018-01-09,two,7.7,6,8,7.5,7.71,4000000,4200000,,14",
    "2018-01-10,few,5,5,5.2,5.1,5.1,1000,5000,4,2",
]


@pytest.fixture
def file(tmp_path):
    def write(*rows, header=HEADER):
        path = tmp_path / "results.csv"
        path.write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
        return path

    return write


def assert_bids_have_the_figures(result, bids):
    prices = sorted(bid.price for bid in bids)
    count, tonnes = len(bids), sum(bid.tonnes for bid in bids)
    assert result.bids is None or count == result.bids
    assert (prices[0], prices[-1]) == (result.price_min, result.price_max)
    assert prices[(count - 1) // 2] + prices[count // 2] == 2 * result.price_median
    assert sum(prices) == result.price_mean * count
    weighted = sum(bid.price * bid.tonnes for bid in bids)
    assert (2 * weighted + tonnes) // (2 * tonnes) == result.price_mean
    assert tonnes == result.bid_tonnes
    assert all(bid.tonnes % LOT_TONNES == 0 for bid in bids)
    assert len({bid.account_index for bid in bids}) == result.bidders


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bids_have_the_figures_of_the_result(file, seed):
    for result in results_read(file(*ROWS)):
        assert_bids_have_the_figures(result, bids_of(result, seed))


def test_bids_depend_on_the_seed_and_not_on_the_clearing_price(file):
    result = results_read(file(*ROWS))[0]
    bids = bids_of(result, 1)
    assert bids == bids_of(result._replace(clearing_price=1), 1)
    assert bids != bids_of(result, 2)


def test_a_wrong_award_is_found_by_trying_every_price(file, monkeypatch):
    result = results_read(file(*ROWS))[0]
    assert clear(result, 1).fault is None
    from cea_exchange.loadtest import auctions

    right = auctions.award_arrays

    def dearer(rows, offered_tonnes, rules):
        fills, price, reason = right(rows, offered_tonnes, rules)
        return fills, price + 1, reason

    def unfair(rows, offered_tonnes, rules):
        fills, price, reason = right(rows, offered_tonnes, rules)
        winner, loser = (fills > 0).argmax(), (fills == 0).argmax()
        fills[[winner, loser]] = fills[[loser, winner]]
        return fills, price, reason

    monkeypatch.setattr(auctions, "award_arrays", dearer)
    assert "the clearing price: expected" in clear(result, 1).fault
    monkeypatch.setattr(auctions, "award_arrays", unfair)
    assert "must not win" in clear(result, 1).fault


def test_the_command_tells_how_far_the_prices_lie(file, capsys):
    assert run(["replay-auctions", str(file(*ROWS)), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["auctions"] == content["equal_to_brute_force"] == 3
    assert content["cancelled"] == 0
    assert content["offered_tonnes"] == 8_001_000
    differences = [
        round(100 * float(row["cleared"])) - round(100 * float(row["published"]))
        for row in content["results"]
    ]
    assert content["difference_cents"]["least"] == min(differences)
    assert content["difference_cents"]["mean"] == pytest.approx(sum(differences) / 3, abs=0.001)
    assert run(["replay-auctions", str(file(*ROWS))]) == 0
    assert "equal to brute force       3 of 3" in capsys.readouterr().out


def test_short_auctions_are_cancelled_and_compared_with_nothing(file, capsys):
    """CEA-AWD-04."""
    row = "2018-01-09,short,7.7,6,8,7.5,7.71,4500000,4200000,,14"
    assert run(["replay-auctions", str(file(row)), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["cancelled"] == 1 and content["results"][0]["cleared"] is None
    assert content["difference_cents"] == {}
    assert run(["replay-auctions", str(file(row))]) == 0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("d,a,7.7,6,8,7.5,7.71,x,4200000,,14", "volume: expected a whole number above 0, got 'x'"),
        ("d,a,7.777,6,8,7.5,7.71,5,4200000,,14", "price_eur: expected euro with at most two"),
        ("d,a,7.7,,8,7.5,7.71,5,4200000,,14", "min_bid: expected euro with at most two"),
        ("d,a,7.70000001,6,8,7.5,7.71,5,4200000,,14", "price_eur: expected euro with at most two"),
        ("d,a,7.7,6,8,7.5,7.71,5.5,4200000,,14", "volume: expected a whole number above 0"),
        ("d,a,7,6,8,9,7.71,5,4200000,,14", "price_mean: expected it between the least and"),
        ("d,a,7,6,8,7.5,7.71,5,4200000,13,14", "n_bids: expected 14 or more"),
        ("d,a,7,6,8,7.5,7.71,5,4200001,,14", "bids_total: expected a multiple of 500"),
        ("d,a,7,6,8,7.5,7.71,5,2000,,14", "bids_total: expected 500 or more for each of 56 bids"),
        ("d,a,7,6,8,6.1,7.71,5,4200000,,14", "mean_bid: expected one that bids with these"),
        ("d,a,7,6,8,7,7,5,4200000,2,2", "n_bids: expected 3 to 1000000, got 2"),
        ("d,a,7,6,8,7,7,5,4200000,9999999999999,2", "n_bids: expected 3 to 1000000, got 99999"),
        ("d,a,7,6,8,7,7,5,4200000,,9999999999999", "n_bids: expected 3 to 1000000, got 39999"),
    ],
)
def test_rows_that_can_not_be_are_named_with_their_line(file, row, message, capsys):
    path = file(ROWS[0], row)
    assert run(["replay-auctions", str(path)]) == 2
    error = capsys.readouterr().err
    assert f"{path}:3: {message}" in error and error.count("\n") == 1


@pytest.mark.parametrize("price", ["", " ", "-", "n/a", "NaN"])
def test_auctions_without_a_price_are_counted_and_passed_over(file, price, capsys):
    """Whatever else their rows have, or lack."""
    path = file(ROWS[0], f"2018-01-09,none,{price},,,,,4000000,0,0,0", *ROWS[1:])
    assert run(["replay-auctions", str(path), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["auctions"], content["without_price"]) == (3, 1)
    assert content["passed_over"] == [{"line": 3, "date": "2018-01-09", "auction": "none"}]
    assert [row["line"] for row in content["results"]] == [2, 4, 5]
    assert run(["replay-auctions", str(path)]) == 0
    assert "without a price            1, passed over" in capsys.readouterr().out
    assert run(["replay-auctions", str(file(f"2018-01-09,none,{price},,,,,1,0,0,0"))]) == 0
    assert "auctions                   0, 0 t offered" in capsys.readouterr().out


def test_spreadsheet_floats_are_read_as_what_they_mean_with_a_warning(file, capsys):
    plain = "2018-01-09,two,19.58,18,20,19.5,19.57,4000000,4200000,81,14"
    odd = "2018-01-09,two,19.579999999999998,18.0,20.000000000000004,19.500,19.57,"
    odd += "4E+06,4.2e6,81.0,14.0"
    assert results_read(file(odd)) == results_read(file(plain))
    path = file(ROWS[0], odd)
    assert run(["replay-auctions", str(path), "--json"]) == 0
    output, errors = capsys.readouterr()
    assert json.loads(output)["cells_mended"] == 4
    assert errors == (
        f"{path}:3: price_eur: 19.579999999999998 is read as 19.58, as a spreadsheet means it "
        "(the first of 4)\n"
    )


def test_a_byte_order_mark_is_no_part_of_a_column(file):
    assert results_read(file(*ROWS, header="\ufeff" + HEADER))[0].date == "2018-01-08"


def test_files_that_are_no_results_are_named(file, tmp_path):
    with pytest.raises(AuctionError, match="expected results of auctions, No such file"):
        results_read(tmp_path / "none.csv")
    with pytest.raises(AuctionError, match=":1: expected a column min_bid"):
        results_read(file("1,2", header="date,price_eur\n"))
    with pytest.raises(AuctionError, match="expected a row for each auction, got none"):
        results_read(file())


PUBLISHED_HERE = pytest.mark.skipif(
    not PUBLISHED.exists(),
    reason="the EU's results (shared/data/eua beside the repository) are not here",
)


@PUBLISHED_HERE
@pytest.mark.parametrize("every", [20, pytest.param(1, marks=pytest.mark.nightly)])
def test_published_auctions_clear_as_brute_force_does(every):
    """Bids with the figures of 1,226 real auctions, cleared by the award and by counting demand."""
    results = results_read(PUBLISHED)
    assert len(results) == 1_226
    rules = AwardRules(tie="random", tie_seed=1, undersubscription="cancel")
    for result in results[::every]:
        bids = bids_of(result, 1)
        assert_bids_have_the_figures(result, bids)
        cleared = clear(result, 1)
        assert cleared.fault is None
        assert cleared.clearing_price == clearing_of(demand(bids, result.offered_tonnes, rules))


@PUBLISHED_HERE
@pytest.mark.nightly
def test_the_command_clears_all_published_auctions(capsys):
    assert run(["replay-auctions", str(PUBLISHED), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["equal_to_brute_force"] == 1_226 and content["cancelled"] == 0
    # Made of the published figures alone, the prices come near the published ones.
    assert content["within_percent"]["5"] >= 1_200
    assert content["difference_percent"]["median size"] < 1
