"""An auction of allowances by the authority, with a reserve price and a cap on every bidder.

    python examples/clear_auction.py

Needs a plain install of cea-exchange. Prices are text in yuan, quantities whole tonnes.
"""

from cea_exchange import AuctionBid, clear_auction

OFFERED_TONNES = 1_000_000
BIDS = [
    AuctionBid("north power", "74.50", 300_000),
    AuctionBid("steel one", "76.00", 450_000),
    AuctionBid("small kiln", None, 20_000),
    AuctionBid("south power", "73.80", 400_000),
    AuctionBid("steel one", "71.00", 200_000),
    AuctionBid("cement", "69.90", 500_000),
]


def main() -> None:
    result = clear_auction(
        BIDS,
        OFFERED_TONNES,
        reserve_price="70.00",
        bidder_cap_bp=4_000,
        noncompetitive_max_bp=500,
        undersubscription="cancel",
    )
    for bid in result.bids:
        price = bid.price or "any"
        print(f"{bid.account:<12} {price:>6} for {bid.tonnes:>7} t won {bid.won:>7} t")
    print(f"clearing price {result.clearing_price}, {result.tonnes} t, {result.amount} yuan")
    # 20000 t without a price, 400000 of steel one (40% is the cap), 300000, and 280000 left.
    assert [bid.won for bid in result.bids] == [300_000, 400_000, 20_000, 280_000, 0, 0]
    assert (result.clearing_price, result.amount) == ("73.80", "73800000.00")


if __name__ == "__main__":
    main()
