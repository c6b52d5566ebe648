"""Auctions and releases by an authority's terms: the worked examples of section 36."""

from datetime import date

import pytest

from cea_exchange.adjustment.auction_terms import (
    TermedBid,
    awarded,
    bidder_most,
    bids_parse,
    class_most,
    deposit_of,
    floor_of,
    parts_of,
    refusals,
    released_most,
    terms_read,
)
from cea_exchange.adjustment.days import Day

TERMS = terms_read()


def bid(account: str, bidder_class: str, price: int, tonnes: int, emissions: int = 0) -> TermedBid:
    return TermedBid(
        account=account,
        bidder_class=bidder_class,
        price=price,
        tonnes=tonnes,
        emissions=emissions,
    )


def test_beijing_caps_of_classes_each_and_together() -> None:
    """CEA-ADJ-05: worked example 24; after six at 45,000 t the seventh has room for 30,000 t."""
    terms, offered = TERMS["beijing_2024_09"], 1_500_000
    assert bidder_most(terms, offered, "kee") == 225_000
    assert bidder_most(terms, offered, "voluntary") == 45_000
    assert class_most(terms, offered, "voluntary") == 300_000
    assert class_most(terms, offered, "kee") == offered
    bids = [bid(f"V{n}", "voluntary", 10_600 - n, 45_000) for n in range(7)]
    bids += [bid("K1", "kee", 10_489, 225_000), bid("K2", "kee", 10_700, 225_001)]
    found = awarded(terms, offered, None, bids)
    assert found.refused == {8: "tonnes: expected at most 225000 of K2, got 225001"}
    assert [won.won for won in found.result.bids] == [*6 * [45_000], 30_000, 225_000]
    assert (found.result.clearing_price, found.result.tonnes) == ("104.89", 525_000)


def test_guangdong_bids_of_1000_t_half_for_each_and_a_reserve() -> None:
    """CEA-ADJ-05: worked example 24."""
    terms, offered, floor = TERMS["guangdong_2017_03"], 500_000, 1_609
    bids = [
        bid("A", "kee", 1_700, 999),
        bid("A", "kee", 1_700, 250_001),
        bid("A", "kee", 1_700, 200_000),
        bid("A", "kee", 1_650, 50_001),
        bid("A", "kee", 1_650, 50_000),
        bid("B", "investor", 1_608, 1_000),
        bid("C", "stranger", 1_700, 1_000),
    ]
    refused = refusals(terms, offered, floor, bids)
    assert sorted(refused) == [0, 1, 3, 5, 6]
    assert refused[0] == "tonnes: expected 1000 or more, got 999"
    assert refused[1] == "tonnes: expected at most 250000 of A, got 250001"
    assert refused[3] == "tonnes: expected at most 250000 of A, got 250001"
    assert refused[5] == "price: expected 16.09 or more, got 16.08"
    assert refused[6].startswith("class: expected one of kee, investor")


def test_tianjin_two_percent_of_emissions_and_two_bidders() -> None:
    """CEA-ADJ-05: worked example 24, and the postponement of 2017."""
    terms = TERMS["tianjin_2020_06"]
    assert bidder_most(terms, 2_000_000, "kee", 1_234_567) == 24_691
    assert bidder_most(terms, 2_000_000, "institution") == 100_000
    alone = awarded(terms, 2_000_000, None, [bid("I", "institution", 2_500, 9)])
    assert alone.postponed and alone.result is None
    pair = [bid("I", "institution", 2_500, 9), bid("K", "kee", 2_400, 24_691, 1_234_567)]
    assert awarded(terms, 2_000_000, None, pair).result.clearing_price == "24.00"


def test_fujian_multiples_of_100_t_a_deposit_and_four_fifths() -> None:
    """CEA-ADJ-11: worked example 24."""
    terms = TERMS["fujian_2016"]
    refused = refusals(terms, 10_000, None, [bid("A", "kee", 1_235, n) for n in (150, 100, 0)])
    assert refused == {
        0: "tonnes: expected a multiple of 100, got 150",
        2: "tonnes: expected 1 or more, got 0",
    }
    assert deposit_of(terms, 1_235, 100) == 12_350
    assert deposit_of(terms, 1_235, 1) == 124
    assert released_most(terms, 1_001) == 800


def test_shenzhen_three_equal_parts_what_is_left_in_the_last() -> None:
    """CEA-ADJ-10: worked example 23."""
    assert parts_of(TERMS["shenzhen_2024"], 520_000) == [173_333, 173_333, 173_334]


def test_floors_are_a_mean_of_the_market_times_a_factor() -> None:
    """CEA-ADJ-05: 1.2 times six months' mean in Shanghai, 1.1 times named days' in Beijing."""
    days = [
        Day(date(2024, 3, 29), 1, 1, 1_000, 1_000_000),
        Day(date(2024, 4, 1), 1, 1, 100, 700_000),
        Day(date(2024, 9, 29), 1, 1, 100, 701_100),
        Day(date(2024, 9, 30), 1, 1, 100, 9_999_999),
    ]
    notice = date(2024, 9, 30)
    # The mean is 7005.5, half up 7006.
    assert floor_of(TERMS["shanghai_2024_09"], days, notice) == 8_407
    assert floor_of(TERMS["beijing_2024_11"], days[:3], notice) == (
        (2_401_100 + 600) // 1_200 * 11_000 + 5_000
    ) // 10_000
    assert floor_of(TERMS["beijing_2024_09"], days, notice) is None
    assert floor_of(TERMS["shanghai_2024_09"], days[:1], notice) is None


def test_bids_are_read_with_their_lines() -> None:
    head = "account,class,price,tonnes,emissions"
    (found,) = bids_parse([head, "A,kee,16.09,1000,1234567"])
    assert (found.price, found.tonnes, found.emissions) == (1_609, 1_000, 1_234_567)
    for line in (",kee,16.09,1,", "A,kee,16.09,1.5,", "A,kee,16.0912,1,", "A,kee,16.09,1,x"):
        with pytest.raises(ValueError, match="^2: "):
            bids_parse([head, line])


def test_terms_of_ones_own_have_one_share_together(tmp_path) -> None:
    """CEA-ADJ-05."""
    file = tmp_path / "auctions.toml"
    text = (
        '[mine]\nrule = "CEA-ADJ-05"\nsource = "x"\nconfidence = "D"\n'
        "[mine.bidders.a]\ntogether_bp = 1000\n[mine.bidders.b]\ntogether_bp = 2000\n"
    )
    file.write_text(text)
    with pytest.raises(ValueError, match="expected one share together, got .1000, 2000"):
        terms_read(file)
    file.write_text(text.replace("2000", "1000"))
    assert list(terms_read(file)) == ["mine"]
