"""Market adjustment: when the authority may act, how it sells and releases, and what it did.

    triggers.toml, auctions.toml     the rules as data
    days, triggers, auction_terms    what they come to
    report                           where each trigger stood, and what was done
"""
