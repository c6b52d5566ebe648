"""The reference market: the rules in the clearest Python, a specification that runs.

It has the interface of the compiled market and shares no deciding code with it; the differential
tests hold the two equal, event for event and hash for hash. Use it to read the rules or to check
another implementation; it is a hundred times slower than the compiled one.

A command is judged completely before anything changes:

    command -> refusal? -> what it would take -> refusal? -> Decision -> events and changes

`ReferenceMarket` (market) lets in one caller at a time and counts what is done; the others say what
happens, over one value:

    state             rules, phase, counters, products, funds, what is open: the value
    inputs            numbers and commands that come in
    trading           the three methods side by side (methods):
      listed_trading    orders, their books and trades
      block_trading     enquiries, offers and their negotiation
      bidding_trading   biddings, bids and awards
    rows              what is kept, a row each:
      funds             what accounts hold, what is locked, what a trade moves
      products          a product's price bands and its trades of the day
      book, blocks, biddings
    trading_day       how a day begins and ends, and its phases
    operations        halts, suspensions, listings, reference prices, transfers
    busts             trades that are undone
    large_holders     who comes to hold as much as large holders do
    events            the streams an event belongs to, and its record
    views             what is shown: dicts
    hashes, invariants, snapshots

It may know `domain`, and of `matching` what a core is (market_core) and how bids are awarded
(award); nothing compiled.
"""

from cea_exchange.matching.reference.market import ReferenceMarket

__all__ = ["ReferenceMarket"]
