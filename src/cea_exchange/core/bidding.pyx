"""Single-direction bidding in the compiled market: announcements, sealed bids, awards.

Contents: storage, locks, events, checks, bids, awards, biddings, control. The plain Python of it,
with a drawing, is in matching/reference/trading/bidding_trading.py; award.pyx decides who wins.

Long, because a bidding is read from its notice to its award without leaving the page.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from cea_exchange._ladder cimport Order, int128, uint128
from cea_exchange._records cimport *
from cea_exchange._stream cimport COMMAND_MALFORMED, sink_full
from cea_exchange.core.accounts cimport *
from cea_exchange.core.award cimport (
    AWARD_BIDS_SHORT, AWARD_NOT_CANCELLED, AWARD_PAY_AS_BID, AWARD_UNIFORM, AwardBid, AwardResult,
    AwardRules, Ranked, award_bids, award_bytes, award_paid, ranked_sort,
)
from cea_exchange.core.rows cimport *
from cea_exchange.core.trading cimport *

if sizeof(BiddingRecord) != 88 or sizeof(BidRecord) != 48:
    raise ImportError(
        f"BiddingRecord and BidRecord are {sizeof(BiddingRecord)} and {sizeof(BidRecord)} bytes, "
        "the schema says 88 and 48"
    )


# -- Storage --------------------------------------------------------------------------------------

cdef BiddingRecord* bidding_find(const Market* market, uint64_t bidding_id) noexcept nogil:
    """The bidding of an id, ended or not, or NULL."""
    return row_find(market.biddings.rows, &market.biddings.count, bidding_id)


cdef BidRecord* bid_find(
    const Market* market, uint64_t bid_id, uint32_t account_index,
) noexcept nogil:
    """The live bid of an id, if it is an account's, or NULL."""
    cdef BidRecord* bid = row_find(market.biddings.bids, &market.biddings.bid_count, bid_id)
    if bid == NULL or bid.account_index != account_index or not row_is_live(bid):
        return NULL
    return bid


cdef void bid_add(Market* market, const BidRecord* bid) noexcept nogil:
    """Keep a bid with the highest id so far; there is room for it."""
    row_add(market.biddings.bids, &market.biddings.bid_count, bid)
    market.accounts.accounts[bid.account_index].bids_open += 1


cdef BidRecord bid_take(
    Market* market, const BiddingRecord* bidding, BidRecord* row,
) noexcept nogil:
    """End a bid: its lock returns, and what it was is given back."""
    cdef BidRecord bid = row[0]
    cdef Locks locks = locks_of_bid(market, bidding, row)
    locks_return(&market.accounts, bid.account_index, bidding.product_index, &locks)
    row.tonnes = 0
    market.accounts.accounts[bid.account_index].bids_open -= 1
    row_ended(&market.biddings.bid_count)
    return bid


cdef void bidding_release(Market* market, BiddingRecord* bidding) noexcept nogil:
    """A bidding is over: its applicant's lock returns."""
    cdef Locks locks = locks_of_bidding(market, bidding)
    locks_return(&market.accounts, bidding.account_index, bidding.product_index, &locks)
    bidding.state = BIDDING_STATE_ENDED
    market.biddings.count.live -= 1


cdef inline uint8_t bid_side(const BiddingRecord* bidding) noexcept nogil:
    """What the bidders do."""
    return SIDE_SELL if bidding.side == SIDE_BUY else SIDE_BUY


# -- Locks ----------------------------------------------------------------------------------------

cdef Locks locks_of_bidding(const Market* market, const BiddingRecord* bidding) noexcept nogil:
    """What an applicant must have, and locks: as a buyer, all of it at the ceiling.

    Rules: CEA-BID-04.
    """
    return locks_for(
        &market.accounts, METHOD_BIDDING, bidding.side, bidding.ceiling, bidding.tonnes,
    )


cdef Locks locks_of_bid(
    const Market* market, const BiddingRecord* bidding, const BidRecord* bid,
) noexcept nogil:
    """What a bid must have behind it, and locks.

    Rules: CEA-BID-05.
    """
    return locks_for(
        &market.accounts, METHOD_BIDDING, bid_side(bidding), price_most(bidding, bid), bid.tonnes,
    )


cdef inline int64_t price_most(const BiddingRecord* bidding, const BidRecord* bid) noexcept nogil:
    """The most that a bid may come to cost; without a price of its own the range decides.

    Rules: CEA-BID-05, CEA-AWD-08.
    """
    return bidding.ceiling if bid.price == 0 else bid.price


cdef bint price_in_range(
    const Market* market, const BiddingRecord* bidding, const BidRecord* bid,
) noexcept nogil:
    """Whether a bid's price lies in its bidding's range, or it needs none.

    Rules: CEA-BID-05, CEA-AWD-08.
    """
    if bid.price == 0:
        return market.rules.noncompetitive_max_bp > 0
    return bidding.floor <= bid.price <= bidding.ceiling


cdef uint8_t cover_refused(
    const Market* market, uint32_t account_index, uint16_t product_index, const Locks* wanted,
) noexcept nogil:
    """Why an account hasn't what a bid or a bidding locks."""
    cdef Locks none
    memset(&none, 0, sizeof(Locks))
    return locks_refused(&market.accounts, account_index, product_index, wanted, &none)


# -- Events ---------------------------------------------------------------------------------------

cdef EventRecord* bid_event(
    Market* market, uint8_t kind, const BiddingRecord* bidding, const BidRecord* bid,
) noexcept nogil:
    cdef EventRecord* row = event_account(market, kind, bid.account_index)
    row.side = bid_side(bidding)
    row.product_index = bidding.product_index
    row.operator_index = bid.operator_index
    row.order_id = bid.bid_id
    row.counter_order_id = bid.bidding_id
    row.price = bid.price
    row.tonnes = bid.tonnes
    row.client_order_id = bid.client_order_id
    return row


cdef EventRecord* bidding_event(
    Market* market, uint8_t kind, const BiddingRecord* bidding,
) noexcept nogil:
    cdef EventRecord* row = event_account(market, kind, bidding.account_index)
    event_is_public(market, row)
    row.side = bidding.side
    row.product_index = bidding.product_index
    row.order_id = bidding.bidding_id
    return row


cdef void opened_event(Market* market, const BiddingRecord* bidding) noexcept nogil:
    cdef BiddingOpenedRecord* row = <BiddingOpenedRecord*>bidding_event(
        market, EVENT_KIND_BIDDING_OPENED, bidding,
    )
    row.method = METHOD_BIDDING
    row.pricing = bidding.pricing
    row.bidding_key = bidding.bidding_key
    row.floor = bidding.floor
    row.tonnes = bidding.tonnes
    row.ceiling = bidding.ceiling
    row.opens_at = bidding.opens_at
    row.closes_at = bidding.closes_at


cdef inline uint16_t product_of(
    const CommandRecord* command, const BiddingRecord* bidding,
) noexcept nogil:
    """The product a refusal names: of the bidding that a command is about, else as given."""
    return command.product_index if bidding == NULL else bidding.product_index


# -- Checks ---------------------------------------------------------------------------------------

cdef uint8_t session_refused(const Market* market, uint16_t product_index) noexcept nogil:
    """No phase is needed, but an open day; a halt stops all.

    Rules: CEA-BID-03, CEA-BID-08.
    """
    if market.halted or not market.day_is_open or not market.rules.bidding_allowed:
        return REASON_PHASE_CLOSED
    return REASON_PRODUCT_HALTED if market.products[product_index].halted else REASON_NONE


cdef uint8_t bid_refused(
    const Market* market, const CommandRecord* command, const BiddingRecord* bidding,
    const BidRecord* bid,
) noexcept nogil:
    """The first reason against a bid; `bidding` is what it names, or NULL.

    Rules: CEA-BID-03, CEA-BID-05, CEA-BID-12, CEA-ORD-10.
    """
    cdef int128 amount
    cdef Locks locks
    cdef uint8_t reason
    if account_unknown(market, command.account_index, command.operator_index):
        return REASON_ACCOUNT_UNKNOWN
    if bidding == NULL:
        return REASON_BIDDING_UNKNOWN
    reason = sender_refused(market, command.account_index, command)
    if reason == REASON_NONE:
        reason = session_refused(market, bidding.product_index)
    if reason != REASON_NONE:
        return reason
    if bidding.state != BIDDING_STATE_OPEN:
        return REASON_BIDDING_NOT_OPEN
    if bid.tonnes <= 0:
        return REASON_TONNES_NOT_POSITIVE
    amount = price_most(bidding, bid)
    amount *= bid.tonnes
    if bid.price > PRICE_MAX or amount >= AMOUNT_LIMIT:
        return REASON_AMOUNT_TOO_LARGE
    if bid.tonnes < market.rules.bid_tonnes_min:
        return REASON_BIDDING_TONNES_TOO_SMALL
    if not price_in_range(market, bidding, bid):
        return REASON_BID_OUT_OF_RANGE
    locks = locks_of_bid(market, bidding, bid)
    reason = cover_refused(market, bid.account_index, bidding.product_index, &locks)
    if reason != REASON_NONE:
        return reason
    if bid.account_index == bidding.account_index:
        return REASON_SELF_TRADE
    if bids_full(market, bid.account_index):
        return REASON_CAPACITY
    return REASON_NONE


cdef bint bids_full(const Market* market, uint32_t account_index) noexcept nogil:
    """Whether there are as many bids as the market has room for, or as an account may have.

    Rules: CEA-BID-12.
    """
    cdef uint32_t most = market.rules.bids_open_max
    if market.biddings.bid_count.live == market.biddings.count.live_max:
        return True
    return most != 0 and market.accounts.accounts[account_index].bids_open >= most


cdef uint8_t cancel_refused(
    const Market* market, const CommandRecord* command, const BiddingRecord* bidding,
) noexcept nogil:
    """The first reason against taking a bid back; `bidding` is where it bids, or NULL.

    Rules: CEA-BID-05, CEA-BID-08.
    """
    cdef uint8_t reason
    if account_unknown(market, command.account_index, command.operator_index):
        return REASON_ACCOUNT_UNKNOWN
    if bidding == NULL:
        return REASON_ORDER_UNKNOWN
    reason = sender_refused(market, command.account_index, command)
    return reason if reason != REASON_NONE else session_refused(market, bidding.product_index)


cdef bint limit_allowed(
    const Market* market, const BiddingRecord* bidding, int64_t limit, int64_t low, int64_t high,
) noexcept nogil:
    """Whether the applicant's limit is the previous close, or the far end of the range.

    Rules: CEA-BID-02.
    """
    if market.rules.bidding_band_bp == 0:
        return low <= limit <= high
    if limit == market.products[bidding.product_index].reference_price:
        return True
    return limit == (low if bidding.side == SIDE_SELL else high)


cdef bint key_is_used(const Market* market, uint64_t bidding_key) noexcept nogil:
    cdef uint32_t index
    for index in range(market.biddings.count.rows):
        if market.biddings.rows[index].bidding_key == bidding_key:
            return True
    return False


cdef uint8_t notice_refused(
    const Market* market, BiddingRecord* bidding, int64_t limit,
) noexcept nogil:
    """The first reason against a bidding, whose range is filled in on the way.

    Rules: CEA-BID-01, CEA-BID-02, CEA-BID-03, CEA-BID-04, CEA-ORD-10.
    """
    cdef int128 amount
    cdef int64_t low
    cdef int64_t high
    cdef Locks locks
    cdef uint8_t reason
    if not is_listed(market, bidding.product_index):
        return REASON_PRODUCT_UNKNOWN
    if bidding.account_index >= market.accounts.account_count:
        return REASON_ACCOUNT_UNKNOWN
    if key_is_used(market, bidding.bidding_key):
        return REASON_ORDER_ID_DUPLICATE
    if market.accounts.accounts[bidding.account_index].suspended:
        return REASON_ACCOUNT_SUSPENDED
    reason = session_refused(market, bidding.product_index)
    if reason != REASON_NONE:
        return reason
    if bidding.state == BIDDING_STATE_ENDED:
        return REASON_BIDDING_NOT_OPEN
    if bidding.tonnes <= 0:
        return REASON_TONNES_NOT_POSITIVE
    price_band(
        &market.rules, market.products[bidding.product_index].reference_price,
        market.rules.bidding_band_bp, &low, &high,
    )
    bidding.floor = limit if bidding.side == SIDE_SELL else low
    bidding.ceiling = high if bidding.side == SIDE_SELL else limit
    amount = bidding.ceiling
    amount *= bidding.tonnes
    if limit > PRICE_MAX or amount >= AMOUNT_LIMIT:
        return REASON_AMOUNT_TOO_LARGE
    if bidding.tonnes < market.rules.bidding_tonnes_min:
        return REASON_BIDDING_TONNES_TOO_SMALL
    if not limit_allowed(market, bidding, limit, low, high):
        return REASON_BIDDING_FLOOR_NOT_ALLOWED
    if bidding.reserve_price != 0 and not (
        bidding.floor <= bidding.reserve_price <= bidding.ceiling
    ):
        return REASON_BIDDING_FLOOR_NOT_ALLOWED
    locks = locks_of_bidding(market, bidding)
    reason = cover_refused(market, bidding.account_index, bidding.product_index, &locks)
    if reason == REASON_NONE and market.biddings.count.rows == market.biddings.count.live_max:
        return REASON_CAPACITY
    return reason


# -- Bids -----------------------------------------------------------------------------------------

cdef int64_t bid_enter(Market* market, const CommandRecord* command) noexcept nogil:
    cdef const BiddingRecord* bidding = bidding_find(market, command.order_id)
    cdef BidRecord bid
    cdef Locks locks
    cdef uint8_t reason
    memset(&bid, 0, sizeof(BidRecord))
    bid.bidding_id = command.order_id
    bid.client_order_id = command.client_order_id
    bid.price = command.price
    bid.tonnes = command.tonnes
    bid.account_index = command.account_index
    bid.operator_index = command.operator_index
    reason = bid_refused(market, command, bidding, &bid)
    if reason != REASON_NONE:
        return command_reject(market, command, reason, product_of(command, bidding))
    if sink_full(&market.sink, EVENT_KIND_BID_ACCEPTED):
        return 1
    client_order_id_note(market, bid.account_index, command)
    bid.bid_id = id_take(market)
    bid_add(market, &bid)
    locks = locks_of_bid(market, bidding, &bid)
    locks_add(&market.accounts, bid.account_index, bidding.product_index, &locks)
    bid_event(market, EVENT_KIND_BID_ACCEPTED, bidding, &bid).tonnes_open = bid.tonnes
    return 0


cdef int64_t bid_withdraw(Market* market, const CommandRecord* command) noexcept nogil:
    cdef BidRecord* row = bid_find(market, command.order_id, command.account_index)
    cdef const BiddingRecord* bidding = NULL
    cdef BidRecord bid
    cdef EventRecord* event
    cdef uint8_t reason
    if row != NULL:
        bidding = bidding_find(market, row.bidding_id)
    reason = cancel_refused(market, command, bidding)
    if reason != REASON_NONE:
        return command_reject(market, command, reason, product_of(command, bidding))
    if sink_full(&market.sink, EVENT_KIND_BID_CANCELED):
        return 1
    client_order_id_note(market, command.account_index, command)
    bid = bid_take(market, bidding, row)
    event = bid_event(market, EVENT_KIND_BID_CANCELED, bidding, &bid)
    event.reason = REASON_REQUESTED
    event.client_order_id = command.client_order_id
    event.operator_index = command.operator_index
    return 0


cdef int64_t bid_apply(Market* market, const CommandRecord* given) noexcept nogil:
    # A copy: the record is the caller's, and another thread may write to it.
    cdef CommandRecord command = given[0]
    if bid_malformed(&command):
        return COMMAND_MALFORMED
    market.operator_index = command.operator_index
    if command.kind == COMMAND_KIND_BID:
        return bid_enter(market, &command)
    return bid_withdraw(market, &command)


# -- Awards ---------------------------------------------------------------------------------------

cdef struct Award:            # An award in hand: its memory, and who bids.
    AwardBid* asked           # The bids of the bidding, in order of time.
    int64_t* fills            # Tonnes each wins.
    uint32_t* rows            # Where each is in the market.
    Ranked* ranked            # Bids in an order, by what they are ranked for.
    Ranked* spare
    uint32_t count
    uint32_t bidders
    int64_t traded            # Fen so far.


cdef Award award_make(Market* market, const BiddingRecord* bidding) noexcept nogil:
    """Gather the live bids of a bidding."""
    cdef const Biddings* biddings = &market.biddings
    cdef const BidRecord* bid
    cdef AwardBid* asked
    cdef Award award
    cdef uint32_t row
    cdef size_t count_max = biddings.count.live_max
    memset(&award, 0, sizeof(Award))
    award.asked = <AwardBid*>(biddings.award_memory + award_bytes(biddings.count.live_max))
    award.ranked = <Ranked*>biddings.award_memory
    award.spare = award.ranked + count_max
    award.fills = <int64_t*>(award.asked + count_max)
    award.rows = <uint32_t*>(award.fills + count_max)
    for row in range(biddings.bid_count.rows):
        bid = &biddings.bids[row]
        if not row_is_live(bid) or bid.bidding_id != bidding.bidding_id:
            continue
        asked = &award.asked[award.count]
        memset(asked, 0, sizeof(AwardBid))
        asked.price = bid.price
        asked.tonnes = bid.tonnes
        asked.account_index = bid.account_index
        asked.group_index = market.accounts.accounts[bid.account_index].group_index
        asked.competitive = bid.price != 0
        award.rows[award.count] = row
        award.count += 1
    award.bidders = bidders_count(&award)
    return award


cdef uint32_t bidders_count(const Award* award) noexcept nogil:
    """How many accounts have a bid."""
    cdef uint32_t place
    cdef uint32_t bidders = 0
    for place in range(award.count):
        award.ranked[place].key = award.asked[place].account_index
    ranked_sort(award.ranked, award.spare, award.count)
    for place in range(award.count):
        bidders += place == 0 or award.ranked[place].key != award.ranked[place - 1].key
    return bidders


cdef AwardRules award_rules(const Market* market, const BiddingRecord* bidding) noexcept nogil:
    """What a bidding is awarded by.

    Rules: CEA-BID-06 (the lots' seed is the key of the bidding's name).
    """
    cdef AwardRules rules
    memset(&rules, 0, sizeof(AwardRules))
    rules.side = bidding.side
    rules.pricing = (
        AWARD_UNIFORM if bidding.pricing == PRICING_UNIFORM else AWARD_PAY_AS_BID
    )
    rules.tie = market.rules.bidding_tie
    rules.tie_seed = bidding.bidding_key
    rules.undersubscription = market.rules.bidding_short
    rules.reserve_price = bidding.reserve_price
    rules.reserve_rule = market.rules.bidding_reserve
    rules.bidder_cap_bp = market.rules.bidder_cap_bp
    rules.group_cap_bp = market.rules.bidder_group_cap_bp
    rules.noncompetitive_max_bp = market.rules.noncompetitive_max_bp
    return rules


cdef uint32_t winners_rank(
    const Market* market, const BiddingRecord* bidding, const Award* award,
) noexcept nogil:
    """The winners: those without a price, the best first, at one price the earliest; how many."""
    cdef const AwardBid* asked
    cdef uint32_t place
    cdef uint32_t count = 0
    for place in range(award.count):
        if award.fills[place] == 0:
            continue
        asked = &award.asked[place]
        award.ranked[count].key = <uint128>(
            PRICE_MAX + 1 - asked.price if bidding.side == SIDE_SELL else asked.price
        )
        if not asked.competitive:
            award.ranked[count].key = 0
        award.ranked[count].bid = place
        count += 1
    ranked_sort(award.ranked, award.spare, count)
    return count


cdef void winner_trade(
    Market* market, const BiddingRecord* bidding, const BidRecord* bid, int64_t price,
    int64_t tonnes, int64_t traded,
) noexcept nogil:
    """One winner's trade; `traded` is what the bidding has brought before, in fen.

    Rules: CEA-BID-07 (fees), CEA-BID-09 (statistics), CEA-FEE-01.
    """
    cdef Product* product = &market.products[bidding.product_index]
    cdef Account* applicant = &market.accounts.accounts[bidding.account_index]
    cdef EventRecord* row
    cdef Order leg, own
    cdef int64_t buy_fee, sell_fee
    memset(&leg, 0, sizeof(Order))
    leg.product_index = bidding.product_index
    leg.owner = bid.account_index
    own = leg
    own.owner = bidding.account_index
    own.amount_traded = <uint64_t>traded
    if bidding.side == SIDE_SELL:
        buy_fee = leg_buy(&market.accounts, &leg, price, tonnes, False, METHOD_BIDDING)
        sell_fee = leg_sell(&market.accounts, &own, price, tonnes, False, METHOD_BIDDING)
    else:
        buy_fee = leg_buy(&market.accounts, &own, price, tonnes, False, METHOD_BIDDING)
        sell_fee = leg_sell(&market.accounts, &leg, price, tonnes, False, METHOD_BIDDING)
    product.bidding_volume += <uint128>tonnes
    product.bidding_amount += <uint128>(price * tonnes)
    market.trade_id += 1
    row = bid_event(market, EVENT_KIND_TRADE, bidding, bid)
    applicant.report_seq += 1
    row.counter_report_seq = applicant.report_seq
    row.counter_account_index = bidding.account_index
    row.method = METHOD_BIDDING
    row.price = price
    row.tonnes = tonnes
    row.trade_id = market.trade_id
    row.cash = price * tonnes
    row.buy_fee = buy_fee
    row.sell_fee = sell_fee
    event_settles(market, row)
    event_is_public(market, row)
    # Nobody bids in a bidding of his own.
    large_holder_note(
        market, leg.owner if bidding.side == SIDE_SELL else own.owner, bidding.product_index,
        tonnes,
    )


cdef void winners_trade(
    Market* market, const BiddingRecord* bidding, Award* award,
) noexcept nogil:
    """Trade with all winners, and count what it comes to."""
    cdef AwardRules rules = award_rules(market, bidding)
    cdef const BidRecord* bid
    cdef int64_t price
    cdef uint32_t rank, winner
    for rank in range(winners_rank(market, bidding, award)):
        winner = award.ranked[rank].bid
        bid = &market.biddings.bids[award.rows[winner]]
        price = award_paid(&rules, &award.asked[winner], bidding.clearing_price)
        winner_trade(market, bidding, bid, price, award.fills[winner], award.traded)
        award.traded += price * award.fills[winner]


# -- Biddings -------------------------------------------------------------------------------------

cdef void bidding_cancel(
    Market* market, BiddingRecord* bidding, uint8_t reason,
) noexcept nogil:
    """End a bidding and its bids without an award; what was locked returns.

    Rules: CEA-BID-08.
    """
    cdef EventRecord* row
    bids_end(market, bidding.bidding_id, ACCOUNT_NONE, reason)
    bidding_release(market, bidding)
    row = bidding_event(market, EVENT_KIND_BIDDING_CANCELED, bidding)
    row.tonnes = bidding.tonnes
    row.reason = reason


cdef void bids_end(
    Market* market, uint64_t bidding_id, uint32_t account_index, uint8_t reason,
) noexcept nogil:
    """End the bids in a bidding, or of an account, oldest first."""
    cdef const BiddingRecord* bidding
    cdef BidRecord* row
    cdef BidRecord bid
    cdef EventRecord* event
    cdef uint32_t index
    for index in range(market.biddings.bid_count.rows):
        row = &market.biddings.bids[index]
        if not row_is_live(row):
            continue
        if row.bidding_id == bidding_id or row.account_index == account_index:
            bidding = bidding_find(market, row.bidding_id)
            bid = bid_take(market, bidding, row)
            event = bid_event(market, EVENT_KIND_BID_CANCELED, bidding, &bid)
            event.reason = reason
            # No command is answered.
            event.client_order_id = 0


cdef void bidding_award(Market* market, BiddingRecord* bidding) noexcept nogil:
    """Award a bidding; one that is halted is cancelled, and one the award itself cancels.

    Rules: CEA-BID-06, CEA-BID-08, CEA-AWD-04, CEA-AWD-06.
    """
    cdef Award award
    cdef AwardRules rules = award_rules(market, bidding)
    cdef AwardResult result
    cdef EventRecord* row
    cdef uint32_t place
    cdef bint short
    if market.halted or market.products[bidding.product_index].halted:
        bidding_cancel(market, bidding, REASON_HALTED)
        return
    award = award_make(market, bidding)
    result = award_bids(
        award.asked, award.count, bidding.tonnes, &rules, market.biddings.award_memory, award.fills,
    )
    if result.cancelled != AWARD_NOT_CANCELLED:
        short = result.cancelled == AWARD_BIDS_SHORT
        bidding_cancel(
            market, bidding, REASON_BIDS_SHORT if short else REASON_RESERVE_NOT_MET
        )
        return
    for place in range(award.count):
        # Its row keeps all but the tonnes, by which the trades below are reported.
        bid_take(market, bidding, &market.biddings.bids[award.rows[place]])
    bidding_release(market, bidding)
    bidding.clearing_price = result.clearing_price
    bidding.tonnes_awarded = result.tonnes
    winners_trade(market, bidding, &award)
    row = bidding_event(market, EVENT_KIND_BIDDING_CLOSED, bidding)
    row.price = bidding.clearing_price
    row.tonnes = bidding.tonnes_awarded
    row.tonnes_open = bidding.tonnes - bidding.tonnes_awarded
    row.cash = award.traded
    row.counter_order_id = award.bidders


# -- Control --------------------------------------------------------------------------------------

cdef void bidding_announce(
    Market* market, const BiddingRecord* notice, int64_t limit,
) noexcept nogil:
    """Announce a bidding, or say why not.

    Rules: CEA-BID-04.
    """
    cdef BiddingRecord bidding = notice[0]
    cdef EventRecord* row
    cdef Locks locks
    cdef uint8_t reason = notice_refused(market, &bidding, limit)
    if reason != REASON_NONE:
        row = act_reject(market, OPERATION_BIDDING_OPEN, reason, bidding.account_index)
        row.product_index = bidding.product_index
        row.side = bidding.side
        row.price = limit
        row.tonnes = bidding.tonnes
        return
    bidding.bidding_id = id_take(market)
    market.biddings.rows[market.biddings.count.rows] = bidding
    market.biddings.count.rows += 1
    market.biddings.count.live += 1
    locks = locks_of_bidding(market, &bidding)
    locks_add(&market.accounts, bidding.account_index, bidding.product_index, &locks)
    opened_event(market, &bidding)


cdef void bidding_window_set(Market* market, uint64_t bidding_id) noexcept nogil:
    """Take bids from now on, in one that is announced."""
    cdef BiddingRecord* bidding = bidding_find(market, bidding_id)
    if bidding != NULL and bidding.state == BIDDING_STATE_ANNOUNCED:
        bidding.state = BIDDING_STATE_OPEN


cdef void bidding_end(Market* market, uint64_t bidding_id, bint awards) noexcept nogil:
    """Award an open bidding, or cancel one, or say why not."""
    cdef BiddingRecord* bidding = bidding_find(market, bidding_id)
    cdef EventRecord* row
    cdef uint8_t reason = REASON_NONE
    if bidding == NULL:
        reason = REASON_BIDDING_UNKNOWN
    elif not market.day_is_open:
        reason = REASON_PHASE_CLOSED
    elif bidding.state == BIDDING_STATE_ENDED or (awards and bidding.state != BIDDING_STATE_OPEN):
        reason = REASON_BIDDING_NOT_OPEN
    if reason != REASON_NONE:
        row = act_reject(
            market, OPERATION_BIDDING_CLOSE if awards else OPERATION_BIDDING_CANCEL, reason,
        )
        row.order_id = bidding_id
        if bidding != NULL:
            row.product_index = bidding.product_index
    elif awards:
        bidding_award(market, bidding)
    else:
        bidding_cancel(market, bidding, REASON_REQUESTED)


cdef void biddings_finish(Market* market) noexcept nogil:
    """Award what the day's close finds, oldest first.

    Rules: CEA-BID-03.
    """
    cdef uint32_t index
    for index in range(market.biddings.count.rows):
        if row_is_live(&market.biddings.rows[index]):
            bidding_award(market, &market.biddings.rows[index])


cdef void biddings_end_of(Market* market, uint32_t account_index) noexcept nogil:
    """End a suspended account's bids, then its own biddings with the others' bids.

    Rules: CEA-BID-08, CEA-DAY-06.
    """
    cdef BiddingRecord* bidding
    cdef uint32_t index
    bids_end(market, 0, account_index, REASON_SUSPENDED)
    for index in range(market.biddings.count.rows):
        bidding = &market.biddings.rows[index]
        if bidding.account_index == account_index and bidding.state != BIDDING_STATE_ENDED:
            bidding_cancel(market, bidding, REASON_SUSPENDED)


cdef void biddings_of_product_end(Market* market, uint16_t product_index) noexcept nogil:
    """End the biddings in a product that is delisted, with their bids, oldest first.

    Rules: CEA-PRD-03.
    """
    cdef BiddingRecord* bidding
    cdef uint32_t index
    for index in range(market.biddings.count.rows):
        bidding = &market.biddings.rows[index]
        if bidding.product_index == product_index and bidding.state != BIDDING_STATE_ENDED:
            bidding_cancel(market, bidding, REASON_PRODUCT_DELISTED)


cdef void biddings_forget(Market* market) noexcept nogil:
    """Let a new day use the names again."""
    market.biddings.count.rows = 0


cdef bint bidding_restore(Market* market, const BiddingRecord* record) noexcept nogil:
    cdef Biddings* biddings = &market.biddings
    cdef int128 amount = record.ceiling
    cdef uint64_t last = id_last(biddings.rows, &biddings.count)
    cdef uint32_t byte
    cdef Locks locks
    amount *= record.tonnes
    if (
        biddings.count.rows == biddings.count.live_max
        or record.bidding_id <= last or record.bidding_id > market.order_id_last
        or record.account_index >= market.accounts.account_count
        or record.product_index >= market.product_count
        or record.side < SIDE_BUY or record.side > SIDE_SELL
        or record.pricing < PRICING_UNIFORM or record.pricing > PRICING_PAY_AS_BID
        or record.state > BIDDING_STATE_OPEN or record.tonnes <= 0
        or record.floor <= 0 or record.ceiling < record.floor
        or record.ceiling > PRICE_MAX or amount >= AMOUNT_LIMIT
        or record.reserve_price > record.ceiling
        or (record.reserve_price != 0 and record.reserve_price < record.floor)
    ):
        return False
    for byte in range(sizeof(record.reserved)):
        if record.reserved[byte] != 0:
            return False
    biddings.rows[biddings.count.rows] = record[0]
    biddings.count.rows += 1
    if record.state != BIDDING_STATE_ENDED:
        biddings.count.live += 1
        locks = locks_of_bidding(market, record)
        locks_add(&market.accounts, record.account_index, record.product_index, &locks)
    return True


cdef bint bid_restore(Market* market, const BidRecord* record) noexcept nogil:
    cdef Biddings* biddings = &market.biddings
    cdef const BiddingRecord* bidding = bidding_find(market, record.bidding_id)
    cdef int128 amount
    cdef uint64_t last = id_last(biddings.bids, &biddings.bid_count)
    cdef Locks locks
    if bidding == NULL:
        return False
    amount = price_most(bidding, record)
    amount *= record.tonnes
    if (
        bidding.state != BIDDING_STATE_OPEN
        or biddings.bid_count.live == biddings.count.live_max
        or record.bid_id <= last or record.bid_id > market.order_id_last
        or record.account_index >= market.accounts.account_count
        or record.tonnes <= 0 or amount >= AMOUNT_LIMIT or record.reserved != 0
        or not price_in_range(market, bidding, record)
    ):
        return False
    bid_add(market, record)
    locks = locks_of_bid(market, bidding, record)
    locks_add(&market.accounts, record.account_index, bidding.product_index, &locks)
    return True
