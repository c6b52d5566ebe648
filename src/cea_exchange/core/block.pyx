"""Block trading in the compiled market: enquiries, offers, counter-offers and their trades.

Contents: blocks, events, locks, checks, entries, answers, commands, control. The plain Python of
it, with a drawing, is in matching/reference/trading/block_trading.py.

Long, because what may become of an offer is one table of checks, entries and answers.
Each command gives one event. As on the listed path everything is checked before anything changes.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from cea_exchange._ladder cimport Order, int128, uint128
from cea_exchange._records cimport *
from cea_exchange._stream cimport COMMAND_MALFORMED, row_malformed, sink_full, sink_takes
from cea_exchange.core.accounts cimport *
from cea_exchange.core.bidding cimport bid_apply, bid_malformed
from cea_exchange.core.rows cimport *
from cea_exchange.core.trading cimport *

cdef enum:
    ROWS_SEEN_MAX = 20_000    # Looked at for one question, which waits in the venue's turn.
    FLAGS_ADDRESSED = 3       # TO_ACCOUNT, TO_GROUP.
    FLAGS_COMMAND = 15        # Those, PRICE_OPEN, TONNES_OPEN.
    FLAGS_TOLD = 63           # Those, ENQUIRY, COUNTERED: what events repeat.

if sizeof(BlockRecord) != 80:
    raise ImportError(f"BlockRecord is {sizeof(BlockRecord)} bytes, the schema says 80")


# -- Blocks ---------------------------------------------------------------------------------------

cdef BlockRecord* block_find(const Market* market, uint64_t block_id) noexcept nogil:
    """The open block of an id, or NULL."""
    cdef BlockRecord* block = row_find(market.blocks.rows, &market.blocks.count, block_id)
    return block if block != NULL and row_is_live(block) else NULL


cdef uint32_t blocks_seen(
    const Market* market, uint32_t account_index, uint64_t* first, uint64_t* ids, uint32_t ids_most,
) noexcept nogil:
    """Ids of blocks that a known account made or is asked in, how many; `first` becomes the next.

    Rules: CEA-BLK-04, CEA-BLK-07.
    """
    cdef const Blocks* blocks = &market.blocks
    cdef const BlockRecord* block
    cdef uint32_t count = 0
    cdef uint32_t begin = row_from(blocks.rows, &blocks.count, first[0])
    cdef uint32_t row
    for row in range(begin, blocks.count.rows):
        block = &blocks.rows[row]
        first[0] = block.block_id
        if count == ids_most or row - begin == ROWS_SEEN_MAX:
            return count
        if row_is_live(block) and (
            block.account_index == account_index or is_addressed(market, block, account_index)
        ):
            ids[count] = block.block_id
            count += 1
    first[0] = 0
    return count


cdef BlockRecord* block_add(Market* market, const BlockRecord* block) noexcept nogil:
    """Keep a block with the highest id so far; there is room for it."""
    if block.flags & BLOCK_FLAG_ENQUIRY:
        market.accounts.accounts[block.account_index].enquiries_open += 1
    return row_add(market.blocks.rows, &market.blocks.count, block)


cdef BlockRecord block_take(Market* market, BlockRecord* row) noexcept nogil:
    """End a block: its locks return, and what it was is given back."""
    cdef BlockRecord block
    cdef Locks none
    memset(&none, 0, sizeof(Locks))
    locks_set(market, row, &none)
    block = row[0]
    row.side = 0
    row_ended(&market.blocks.count)
    if block.flags & BLOCK_FLAG_ENQUIRY:
        market.accounts.accounts[block.account_index].enquiries_open -= 1
    return block


cdef inline uint8_t side_in(const BlockRecord* block, uint32_t account_index) noexcept nogil:
    """What an account would do in a block."""
    if account_index == block.account_index:
        return block.side
    return SIDE_SELL if block.side == SIDE_BUY else SIDE_BUY


cdef inline uint32_t speaker_of(const BlockRecord* block) noexcept nogil:
    """Whose terms are on the table."""
    if block.flags & BLOCK_FLAG_BY_COUNTERPARTY:
        return block.counterparty_index
    return block.account_index


cdef bint is_addressed(
    const Market* market, const BlockRecord* block, uint32_t account_index,
) noexcept nogil:
    """Whether a known account is one of those that a block is for."""
    if block.flags & BLOCK_FLAG_TO_ACCOUNT:
        return account_index == block.counterparty_index
    if block.flags & BLOCK_FLAG_TO_GROUP:
        return market.accounts.accounts[account_index].group_index == block.counterparty_index
    return True


cdef bint is_intra_group(const Market* market, uint32_t first, uint32_t second) noexcept nogil:
    """Whether two known accounts are of one group; 0 is none.

    Rules: CEA-BLK-09.
    """
    cdef uint32_t group = market.accounts.accounts[first].group_index
    return group != 0 and group == market.accounts.accounts[second].group_index


cdef void block_band(
    const Rules* rules, int64_t reference_price, int64_t* low, int64_t* high,
) noexcept nogil:
    """The day's price band of blocks.

    Rules: CEA-BLK-02, CEA-LST-03.
    """
    price_band(rules, reference_price, rules.block_band_bp, low, high)


# -- Events ---------------------------------------------------------------------------------------

cdef EventRecord* block_event(
    Market* market, uint8_t kind, const BlockRecord* block, uint32_t actor,
) noexcept nogil:
    """An event about a block; `actor` acts in it, or has offered it.

    Rules: CEA-BLK-11.
    """
    cdef EventRecord* row = event_account(market, kind, actor)
    cdef uint32_t other = other_party(block)
    row.flags = block.flags & FLAGS_TOLD
    if actor != block.account_index:
        other = block.account_index
        row.flags |= BLOCK_FLAG_BY_COUNTERPARTY
    row.counter_account_index = other
    if other != ACCOUNT_NONE:
        market.accounts.accounts[other].report_seq += 1
        row.counter_report_seq = market.accounts.accounts[other].report_seq
    row.side = block.side
    row.product_index = block.product_index
    row.operator_index = market.operator_index
    row.order_id = block.block_id
    row.counter_order_id = block.enquiry_id
    row.price = block.price
    row.tonnes = block.tonnes
    if actor == speaker_of(block):
        # Else it is the other party's, whose ids are its own affair.
        row.client_order_id = block.client_order_id
    if block.flags & BLOCK_FLAG_TO_GROUP:
        row.counter_client_order_id = block.counterparty_index
    if not block.flags & FLAGS_ADDRESSED:
        event_is_public(market, row)
    return row


cdef void trade_event(
    Market* market, uint64_t client_order_id, const BlockRecord* block, uint32_t taker,
    int64_t buy_fee, int64_t sell_fee,
) noexcept nogil:
    cdef uint32_t maker = speaker_of(block)
    cdef EventRecord* row = event_account(market, EVENT_KIND_TRADE, taker)
    market.trade_id += 1
    market.accounts.accounts[maker].report_seq += 1
    row.counter_report_seq = market.accounts.accounts[maker].report_seq
    row.counter_account_index = maker
    row.side = side_in(block, taker)
    row.method = METHOD_BLOCK
    row.product_index = block.product_index
    row.operator_index = market.operator_index
    row.order_id = block.block_id
    row.counter_order_id = block.block_id
    row.price = block.price
    row.tonnes = block.tonnes
    row.client_order_id = client_order_id
    row.counter_client_order_id = block.client_order_id
    row.trade_id = market.trade_id
    row.cash = block.price * block.tonnes
    row.buy_fee = buy_fee
    row.sell_fee = sell_fee
    row.flags = block.flags & FLAGS_TOLD
    if is_intra_group(market, taker, maker):
        row.flags |= BLOCK_FLAG_INTRA_GROUP
    event_settles(market, row)
    event_is_public(market, row)


# -- Locks ----------------------------------------------------------------------------------------

cdef Locks locks_of(const Market* market, const BlockRecord* block, uint8_t side) noexcept nogil:
    """What a side must lock to deliver at the terms of a block.

    Rules: CEA-BLK-05.
    """
    return locks_for(&market.accounts, METHOD_BLOCK, side, block.price, block.tonnes)


cdef Locks locks_held(const BlockRecord* block) noexcept nogil:
    """What the two sides of a block have locked."""
    cdef Locks locks
    locks.cash = block.cash_locked
    locks.tonnes_bid = block.tonnes_bid
    locks.tonnes = block.tonnes_locked
    return locks


cdef void block_lock(
    Accounts* accounts, const BlockRecord* block, const Locks* more,
) noexcept nogil:
    """Lock that much more for the two sides; less where it is negative."""
    cdef uint32_t buyer = party_of(block, SIDE_BUY)
    cdef uint32_t seller = party_of(block, SIDE_SELL)
    # Where nobody is named yet nothing is locked.
    if buyer != ACCOUNT_NONE:
        cash_lock(accounts, buyer, block.product_index, more)
    if seller != ACCOUNT_NONE:
        tonnes_lock(accounts, seller, block.product_index, more)


cdef void locks_set(Market* market, BlockRecord* block, const Locks* locks) noexcept nogil:
    """Lock this much for the two sides, instead of what is locked now."""
    cdef Locks more
    more.cash = locks.cash - block.cash_locked
    more.tonnes_bid = locks.tonnes_bid - block.tonnes_bid
    more.tonnes = locks.tonnes - block.tonnes_locked
    block_lock(&market.accounts, block, &more)
    block.cash_locked = locks.cash
    block.tonnes_bid = locks.tonnes_bid
    block.tonnes_locked = locks.tonnes


cdef bint locks_fit(const Market* market, const BlockRecord* block) noexcept nogil:
    """Whether who spoke last has locked all that the terms ask, and the other no more than that.

    Where both agree, both have locked all.

    Rules: CEA-BLK-05, CEA-BLK-06, CEA-BLK-07.
    """
    cdef bint buyer_spoke = side_in(block, speaker_of(block)) == SIDE_BUY
    cdef bint cash_fits
    cdef Locks buys = locks_of(market, block, SIDE_BUY)
    cdef Locks sells = locks_of(market, block, SIDE_SELL)
    if block.flags & BLOCK_FLAG_ENQUIRY:
        return (
            block.cash_locked == 0 and block.tonnes_bid == 0 and block.tonnes_locked == 0
            and not block.agreed
        )
    if block.cash_locked > buys.cash or block.tonnes_bid > buys.tonnes_bid:
        return False
    if block.tonnes_locked > sells.tonnes:
        return False
    cash_fits = block.cash_locked == buys.cash and block.tonnes_bid == buys.tonnes_bid
    if block.agreed:
        return cash_fits and block.tonnes_locked == sells.tonnes
    return cash_fits if buyer_spoke else block.tonnes_locked == sells.tonnes


cdef uint8_t cover_refused(
    const Market* market, const BlockRecord* block, uint32_t account_index,
) noexcept nogil:
    """Why an account can't deliver a block; what it has locked in it is free for that.

    Rules: CEA-BLK-05.
    """
    cdef Locks wanted = locks_of(market, block, side_in(block, account_index))
    cdef Locks own
    memset(&own, 0, sizeof(Locks))
    if account_index in (block.account_index, other_party(block)):
        own = locks_held(block)
    return locks_refused(&market.accounts, account_index, block.product_index, &wanted, &own)


# -- Checks ---------------------------------------------------------------------------------------

cdef bint block_malformed(const CommandRecord* command) noexcept nogil:
    """Whether a record is no block command of the schema."""
    cdef uint8_t addressed = command.flags & FLAGS_ADDRESSED
    if command.reserved != 0 or (
        command.kind < COMMAND_KIND_BLOCK_ENQUIRY or command.kind > COMMAND_KIND_BLOCK_COUNTER
    ):
        return True
    if command.kind > COMMAND_KIND_BLOCK_OFFER:
        return False
    if command.side < SIDE_BUY or command.side > SIDE_SELL:
        return True
    if addressed == FLAGS_ADDRESSED or command.flags > FLAGS_COMMAND:
        return True
    if command.pick_order_id > (<uint64_t>ACCOUNT_NONE if addressed != 0 else 0):
        return True
    if command.kind == COMMAND_KIND_BLOCK_OFFER:
        return command.flags != addressed
    return (
        command.order_id != 0
        or (command.flags & BLOCK_FLAG_PRICE_OPEN and command.price != 0)
        or (command.flags & BLOCK_FLAG_TONNES_OPEN and command.tonnes != 0)
    )


cdef int64_t commands_malformed(const CommandRecord* commands, int64_t count) noexcept nogil:
    """The first record that is no trading command at all, or -1."""
    cdef int64_t row = -1
    cdef int64_t more = row_malformed(commands, count)
    # One search where all are listed trading's.
    while more >= 0:
        row += 1 + more
        if block_malformed(&commands[row]) and bid_malformed(&commands[row]):
            return row
        more = row_malformed(&commands[row + 1], count - row - 1)
    return -1


cdef bint addressee_known(const Market* market, const CommandRecord* command) noexcept nogil:
    """Whether the account or group is one, that a block is for."""
    cdef const Accounts* accounts = &market.accounts
    cdef uint32_t index
    if command.flags & BLOCK_FLAG_TO_ACCOUNT:
        return command.pick_order_id < accounts.account_count
    if not command.flags & BLOCK_FLAG_TO_GROUP:
        return True
    if command.pick_order_id != 0:
        for index in range(accounts.account_count):
            if accounts.accounts[index].group_index == command.pick_order_id:
                return True
    return False


cdef uint8_t session_refused(const Market* market, uint16_t product_index) noexcept nogil:
    """Why nobody may offer, counter or accept a block now.

    Rules: CEA-BLK-03, CEA-DAY-05.
    """
    if (
        market.halted or market.phase != PHASE_LISTED_AND_BLOCK or not market.rules.block_allowed
    ):
        return REASON_PHASE_CLOSED
    return REASON_PRODUCT_HALTED if market.products[product_index].halted else REASON_NONE


cdef uint8_t terms_refused(const Market* market, const BlockRecord* block) noexcept nogil:
    """What stands against tonnes and price, as far as they are named.

    Rules: CEA-BLK-01, CEA-BLK-02, PLT-BLK-02.
    """
    cdef bint tonnes_named = not block.flags & BLOCK_FLAG_TONNES_OPEN
    cdef int128 amount = block.price
    cdef int64_t low
    cdef int64_t high
    if tonnes_named and block.tonnes <= 0:
        return REASON_TONNES_NOT_POSITIVE
    amount *= block.tonnes
    if block.price > PRICE_MAX or amount >= AMOUNT_LIMIT:
        return REASON_AMOUNT_TOO_LARGE
    if tonnes_named and block.tonnes < market.rules.block_tonnes_min:
        return REASON_BLOCK_TONNES_TOO_SMALL
    block_band(
        &market.rules, market.products[block.product_index].reference_price, &low, &high,
    )
    if tonnes_named and 0 < market.rules.block_free_tonnes < block.tonnes:
        low, high = 1, PRICE_MAX
    if not block.flags & BLOCK_FLAG_PRICE_OPEN and (block.price < low or block.price > high):
        return REASON_PRICE_OUT_OF_BAND
    return REASON_NONE


# -- Entries --------------------------------------------------------------------------------------

cdef BlockRecord block_wanted(const Market* market, const CommandRecord* command) noexcept nogil:
    """What an enquiry or an offer asks for; it has no id and no lock yet.

    Rules: CEA-BLK-07.
    """
    cdef const BlockRecord* enquiry
    cdef BlockRecord block
    memset(&block, 0, sizeof(BlockRecord))
    block.enquiry_id = command.order_id
    block.client_order_id = command.client_order_id
    block.price = command.price
    block.tonnes = command.tonnes
    block.account_index = command.account_index
    block.counterparty_index = <uint32_t>command.pick_order_id
    block.product_index = command.product_index
    block.side = command.side
    block.flags = command.flags
    if command.kind == COMMAND_KIND_BLOCK_ENQUIRY:
        block.flags |= BLOCK_FLAG_ENQUIRY
    elif block.enquiry_id != 0 and not block.flags & FLAGS_ADDRESSED:
        enquiry = block_find(market, block.enquiry_id)
        if enquiry != NULL:
            # It says who asked, and an answer is for nobody else.
            block.flags |= BLOCK_FLAG_TO_ACCOUNT
            block.counterparty_index = enquiry.account_index
    return block


cdef bint is_answer(
    const Market* market, const BlockRecord* block, const BlockRecord* enquiry,
) noexcept nogil:
    """Whether an offer is what an enquiry asks for, from one of those it asks.

    Rules: CEA-BLK-07.
    """
    return (
        is_addressed(market, enquiry, block.account_index)
        and other_party(block) == enquiry.account_index
        and block.product_index == enquiry.product_index
        and block.side != enquiry.side
    )


cdef bint enquiries_full(const Market* market, uint32_t account_index) noexcept nogil:
    """Whether an account has as many enquiries open as it may.

    Rules: CEA-BLK-12.
    """
    cdef uint32_t most = market.rules.enquiries_open_max
    return most != 0 and market.accounts.accounts[account_index].enquiries_open >= most


cdef uint8_t entry_refused(
    const Market* market, const CommandRecord* command, const BlockRecord* block,
) noexcept nogil:
    """The first reason against an enquiry or an offer.

    Rules: CEA-BLK-01, CEA-BLK-02, CEA-BLK-03, CEA-BLK-05, CEA-BLK-07, CEA-BLK-12, CEA-ORD-10,
    PLT-BLK-01.
    """
    cdef const BlockRecord* enquiry = NULL
    cdef bint is_enquiry = block.flags & BLOCK_FLAG_ENQUIRY
    cdef uint8_t reason
    if not is_listed(market, command.product_index):
        return REASON_PRODUCT_UNKNOWN
    if account_unknown(market, command.account_index, command.operator_index):
        return REASON_ACCOUNT_UNKNOWN
    if not addressee_known(market, command):
        return REASON_ACCOUNT_UNKNOWN
    if command.order_id != 0:
        enquiry = block_find(market, command.order_id)
        if enquiry == NULL or not enquiry.flags & BLOCK_FLAG_ENQUIRY:
            return REASON_BLOCK_UNKNOWN
    reason = sender_refused(market, command.account_index, command)
    if reason == REASON_NONE:
        reason = session_refused(market, command.product_index)
    if reason != REASON_NONE:
        return reason
    if other_party(block) == block.account_index:
        return REASON_COUNTERPARTY_MISMATCH
    if enquiry != NULL and not is_answer(market, block, enquiry):
        return REASON_COUNTERPARTY_MISMATCH
    if is_enquiry and market.rules.block_terms_fixed:
        return REASON_TERMS_FIXED
    reason = terms_refused(market, block)
    if reason == REASON_NONE and not is_enquiry:
        reason = cover_refused(market, block, block.account_index)
    if reason == REASON_NONE and (
        market.blocks.count.live == market.blocks.count.live_max
        or is_enquiry and enquiries_full(market, block.account_index)
    ):
        return REASON_CAPACITY
    return reason


cdef int64_t entry_apply(Market* market, const CommandRecord* command) noexcept nogil:
    cdef BlockRecord block = block_wanted(market, command)
    cdef BlockRecord* row
    cdef Locks locks
    cdef bint is_enquiry = block.flags & BLOCK_FLAG_ENQUIRY
    cdef uint8_t kind = EVENT_KIND_BLOCK_ENQUIRED if is_enquiry else EVENT_KIND_BLOCK_OFFERED
    cdef uint8_t reason = entry_refused(market, command, &block)
    if reason != REASON_NONE:
        return command_reject(market, command, reason, command.product_index)
    if sink_full(&market.sink, kind):
        return 1
    client_order_id_note(market, block.account_index, command)
    block.block_id = id_take(market)
    row = block_add(market, &block)
    if not is_enquiry:
        locks = locks_of(market, row, row.side)
        locks_set(market, row, &locks)
    block_event(market, kind, row, row.account_index).tonnes_open = (
        0 if is_enquiry else row.tonnes
    )
    return 0


# -- Answers --------------------------------------------------------------------------------------

cdef bint may_act(
    const Market* market, const CommandRecord* command, const BlockRecord* block,
) noexcept nogil:
    """Whether it is this account's turn, or its block to withdraw.

    Rules: CEA-BLK-04.
    """
    cdef uint32_t account_index = command.account_index
    if block.agreed:
        return False
    if command.kind == COMMAND_KIND_BLOCK_WITHDRAW:
        return account_index == block.account_index or (
            block.flags & BLOCK_FLAG_COUNTERED and account_index == other_party(block)
        )
    if block.flags & BLOCK_FLAG_TO_ACCOUNT:
        return account_index != speaker_of(block) and (
            account_index in (block.account_index, block.counterparty_index)
        )
    return (
        command.kind == COMMAND_KIND_BLOCK_ACCEPT and account_index != block.account_index
        and is_addressed(market, block, account_index)
    )


cdef uint8_t answer_refused(
    const Market* market, const CommandRecord* command, const BlockRecord* block,
) noexcept nogil:
    """The first reason against an answer; `block` is what it names, or NULL.

    Rules: CEA-BLK-03, CEA-BLK-04, CEA-BLK-06, PLT-BLK-01.
    """
    cdef BlockRecord wanted
    cdef uint8_t reason
    if account_unknown(market, command.account_index, command.operator_index):
        return REASON_ACCOUNT_UNKNOWN
    if block == NULL:
        return REASON_BLOCK_UNKNOWN
    reason = sender_refused(market, command.account_index, command)
    if reason != REASON_NONE:
        return reason
    if command.kind == COMMAND_KIND_BLOCK_REJECT or command.kind == COMMAND_KIND_BLOCK_WITHDRAW:
        reason = REASON_PHASE_CLOSED if market.phase == PHASE_CLOSED else REASON_NONE
    else:
        reason = session_refused(market, block.product_index)
    if reason != REASON_NONE:
        return reason
    if not may_act(market, command, block):
        return REASON_COUNTERPARTY_MISMATCH
    wanted = block[0]
    if command.kind == COMMAND_KIND_BLOCK_COUNTER:
        if market.rules.block_terms_fixed:
            return REASON_TERMS_FIXED
        wanted.price = command.price
        wanted.tonnes = command.tonnes
        reason = terms_refused(market, &wanted)
    elif command.kind != COMMAND_KIND_BLOCK_ACCEPT:
        return REASON_NONE
    return reason if reason != REASON_NONE else cover_refused(
        market, &wanted, command.account_index,
    )


cdef void counter_apply(
    Market* market, const CommandRecord* command, BlockRecord* block,
) noexcept nogil:
    """Put other terms on the table: they lock one side, and may only lower the other's lock.

    Rules: CEA-BLK-06.
    """
    cdef uint32_t account_index = command.account_index
    cdef uint8_t side = side_in(block, account_index)
    cdef Locks own
    cdef Locks others
    block.price = command.price
    block.tonnes = command.tonnes
    block.client_order_id = command.client_order_id
    own = locks_of(market, block, side)
    others = locks_of(market, block, SIDE_SELL if side == SIDE_BUY else SIDE_BUY)
    # What one side locks is 0 of the other.
    own.cash += min(others.cash, block.cash_locked)
    own.tonnes_bid += min(others.tonnes_bid, block.tonnes_bid)
    own.tonnes += min(others.tonnes, block.tonnes_locked)
    locks_set(market, block, &own)
    if account_index == block.account_index:
        block.flags &= ~<uint8_t>BLOCK_FLAG_BY_COUNTERPARTY
    else:
        block.flags |= BLOCK_FLAG_BY_COUNTERPARTY | BLOCK_FLAG_COUNTERED
    block_event(market, EVENT_KIND_BLOCK_COUNTERED, block, account_index).tonnes_open = block.tonnes


cdef void agree_apply(
    Market* market, const CommandRecord* command, BlockRecord* block,
) noexcept nogil:
    """Lock the acceptor's side too, and let the exchange have the last word.

    From here on the block is the two parties' only; who else was asked hears that it is gone.

    Rules: CCER-BLK-01.
    """
    cdef EventRecord* event = block_event(
        market, EVENT_KIND_BLOCK_AGREED, block, command.account_index,
    )
    cdef Locks both
    cdef Locks sells
    event.tonnes_open = block.tonnes
    event.client_order_id = command.client_order_id
    if other_party(block) == ACCOUNT_NONE:
        block.flags &= ~<uint8_t>FLAGS_ADDRESSED
        block.flags |= BLOCK_FLAG_TO_ACCOUNT
        block.counterparty_index = command.account_index
    block.agreed = 1
    block.operator_index = command.operator_index
    both = locks_of(market, block, SIDE_BUY)
    sells = locks_of(market, block, SIDE_SELL)
    both.tonnes = sells.tonnes
    locks_set(market, block, &both)


cdef void trade_apply(
    Market* market, BlockRecord* row, uint32_t taker, uint64_t client_order_id,
) noexcept nogil:
    """Trade at the terms on the table.

    Rules: CEA-BLK-04, CEA-BLK-08, CEA-BLK-09.
    """
    cdef BlockRecord block = block_take(market, row)
    cdef Product* product = &market.products[block.product_index]
    cdef uint32_t maker = speaker_of(&block)
    cdef bint taker_buys = side_in(&block, taker) == SIDE_BUY
    cdef int64_t buy_fee
    cdef int64_t sell_fee
    cdef Order leg
    memset(&leg, 0, sizeof(Order))
    leg.product_index = block.product_index
    leg.price = block.price
    leg.tonnes_open = block.tonnes
    leg.owner = taker if taker_buys else maker
    buy_fee = leg_buy(&market.accounts, &leg, block.price, block.tonnes, False, METHOD_BLOCK)
    leg.owner = maker if taker_buys else taker
    sell_fee = leg_sell(&market.accounts, &leg, block.price, block.tonnes, False, METHOD_BLOCK)
    product.block_volume += <uint128>block.tonnes
    product.block_amount += <uint128>(block.price * block.tonnes)
    if is_intra_group(market, taker, maker):
        product.intra_group_volume += <uint128>block.tonnes
    trade_event(market, client_order_id, &block, taker, buy_fee, sell_fee)
    # Nobody accepts an offer of his own.
    large_holder_note(
        market, taker if taker_buys else maker, block.product_index, block.tonnes,
    )


cdef void end_apply(Market* market, const CommandRecord* command, BlockRecord* row) noexcept nogil:
    """Reject or withdraw."""
    cdef BlockRecord block = block_take(market, row)
    cdef bint withdraws = command.kind == COMMAND_KIND_BLOCK_WITHDRAW
    cdef EventRecord* event = block_event(
        market, EVENT_KIND_BLOCK_WITHDRAWN if withdraws else EVENT_KIND_BLOCK_REJECTED, &block,
        command.account_index,
    )
    event.client_order_id = command.client_order_id
    event.reason = REASON_REQUESTED if withdraws else REASON_NONE


cdef inline uint8_t answer_kind(const Market* market, const CommandRecord* command) noexcept nogil:
    """The event that an answer gives."""
    if command.kind == COMMAND_KIND_BLOCK_ACCEPT:
        return EVENT_KIND_BLOCK_AGREED if market.rules.block_confirmed else EVENT_KIND_TRADE
    if command.kind == COMMAND_KIND_BLOCK_COUNTER:
        return EVENT_KIND_BLOCK_COUNTERED
    if command.kind == COMMAND_KIND_BLOCK_WITHDRAW:
        return EVENT_KIND_BLOCK_WITHDRAWN
    return EVENT_KIND_BLOCK_REJECTED


cdef int64_t answer_rows(const Market* market, const CommandRecord* command) noexcept nogil:
    """How many rows an answer's events take at most: a trade may make a large holder."""
    cdef uint8_t kind = answer_kind(market, command)
    cdef int64_t rows = sink_takes(&market.sink, kind)
    if kind == EVENT_KIND_TRADE and tells_large(&market.accounts):
        rows += sink_takes(&market.sink, EVENT_KIND_LARGE_HOLDER)
    return rows


cdef int64_t answer_apply(Market* market, const CommandRecord* command) noexcept nogil:
    cdef BlockRecord* block = block_find(market, command.order_id)
    cdef uint16_t product_index = command.product_index
    cdef int64_t needed
    cdef uint8_t reason
    if block != NULL and block.flags & BLOCK_FLAG_ENQUIRY:
        # There is nothing to accept, reject or counter in an enquiry.
        if command.kind != COMMAND_KIND_BLOCK_WITHDRAW:
            block = NULL
    if block != NULL:
        product_index = block.product_index
    reason = answer_refused(market, command, block)
    if reason != REASON_NONE:
        return command_reject(market, command, reason, product_index)
    needed = answer_rows(market, command)
    if needed > market.sink.capacity - market.sink.count:
        return needed
    client_order_id_note(market, command.account_index, command)
    if command.kind == COMMAND_KIND_BLOCK_COUNTER:
        counter_apply(market, command, block)
    elif command.kind == COMMAND_KIND_BLOCK_ACCEPT:
        if market.rules.block_confirmed:
            agree_apply(market, command, block)
        else:
            trade_apply(market, block, command.account_index, command.client_order_id)
    else:
        end_apply(market, command, block)
    return 0


# -- Commands -------------------------------------------------------------------------------------

cdef int64_t block_apply(Market* market, const CommandRecord* given) noexcept nogil:
    """Apply a block command. Returns the rows it needs if there is no room, else 0."""
    # A copy: the record is the caller's, and another thread may write to it.
    cdef CommandRecord command = given[0]
    if block_malformed(&command):
        return COMMAND_MALFORMED
    market.operator_index = command.operator_index
    if command.kind <= COMMAND_KIND_BLOCK_OFFER:
        return entry_apply(market, &command)
    return answer_apply(market, &command)


cdef int64_t all_commands_apply(
    Market* market, const CommandRecord* commands, int64_t count, int64_t* needed,
) noexcept nogil:
    cdef int64_t done = commands_apply(market, commands, count, needed)
    while needed[0] == COMMAND_NOT_LISTED:
        if commands[done].kind >= COMMAND_KIND_BID:
            needed[0] = bid_apply(market, &commands[done])
        else:
            needed[0] = block_apply(market, &commands[done])
        if needed[0] != 0:
            return done
        market.command_seq += 1
        done += 1
        done += commands_apply(market, &commands[done], count - done, needed)
    return done


# -- Control --------------------------------------------------------------------------------------

cdef void block_word(Market* market, uint64_t block_id, bint confirms) noexcept nogil:
    """Confirm or refuse for the exchange what both sides agree on, or say why not.

    Rules: CCER-BLK-01.
    """
    cdef BlockRecord* block = block_find(market, block_id)
    cdef BlockRecord ended
    cdef EventRecord* row
    cdef uint8_t reason = REASON_NONE
    if block == NULL or not block.agreed:
        reason = REASON_BLOCK_UNKNOWN
    elif confirms:
        reason = session_refused(market, block.product_index)
    if reason != REASON_NONE:
        row = act_reject(
            market, OPERATION_BLOCK_CONFIRM if confirms else OPERATION_BLOCK_REFUSE, reason,
        )
        row.order_id = block_id
        if block != NULL:
            row.product_index = block.product_index
    elif confirms:
        # An event names the operator of who agreed.
        market.operator_index = block.operator_index
        trade_apply(
            market, block,
            other_party(block) if speaker_of(block) == block.account_index else block.account_index,
            0,
        )
        market.operator_index = 0
    else:
        ended = block_take(market, block)
        block_event(
            market, EVENT_KIND_BLOCK_WITHDRAWN, &ended, ended.account_index,
        ).reason = REASON_NOT_CONFIRMED


cdef void blocks_withdraw(
    Market* market, uint32_t account_index, uint8_t reason,
) noexcept nogil:
    """End what an account, or everybody, has offered, asked, countered or agreed on, oldest first.

    Rules: CEA-DAY-06, CEA-DAY-07.
    """
    cdef BlockRecord* row
    cdef BlockRecord block
    cdef uint32_t actor
    cdef uint32_t index
    for index in range(market.blocks.count.rows):
        row = &market.blocks.rows[index]
        if not row_is_live(row):
            continue
        actor = row.account_index if account_index == ACCOUNT_NONE else account_index
        if actor == row.account_index or (has_answered(row) and actor == other_party(row)):
            block = block_take(market, row)
            block_event(market, EVENT_KIND_BLOCK_WITHDRAWN, &block, actor).reason = reason


cdef void blocks_of_product_withdraw(Market* market, uint16_t product_index) noexcept nogil:
    """End what is open in a product that is delisted, oldest first.

    Rules: CEA-PRD-03.
    """
    cdef BlockRecord* row
    cdef BlockRecord block
    cdef uint32_t index
    for index in range(market.blocks.count.rows):
        row = &market.blocks.rows[index]
        if row_is_live(row) and row.product_index == product_index:
            block = block_take(market, row)
            block_event(
                market, EVENT_KIND_BLOCK_WITHDRAWN, &block, block.account_index,
            ).reason = REASON_PRODUCT_DELISTED


cdef void blocks_lapse(Market* market) noexcept nogil:
    """End all that is open, oldest first: the day is over.

    Rules: CEA-BLK-10.
    """
    cdef BlockRecord block
    cdef uint32_t index
    for index in range(market.blocks.count.rows):
        if row_is_live(&market.blocks.rows[index]):
            block = block_take(market, &market.blocks.rows[index])
            block_event(market, EVENT_KIND_BLOCK_LAPSED, &block, block.account_index)


cdef bint agreement_is_possible(const BlockRecord* record) noexcept nogil:
    """Whether what a block says of an agreement can be: of two named parties, by an operator."""
    if not record.agreed:
        return record.operator_index == 0
    return (
        record.agreed == 1 and record.flags & BLOCK_FLAG_TO_ACCOUNT
        and record.operator_index < OPERATORS_MAX
    )


cdef bint block_restore(Market* market, const BlockRecord* record) noexcept nogil:
    """Put a block of a snapshot in place, with its locks; False if no market could have it."""
    cdef Blocks* blocks = &market.blocks
    cdef uint64_t last = id_last(blocks.rows, &blocks.count)
    cdef Locks locks
    cdef int128 amount = record.price
    amount *= record.tonnes
    if (
        blocks.count.live == blocks.count.live_max
        or record.block_id <= last or record.block_id > market.order_id_last
        or record.account_index >= market.accounts.account_count
        or record.product_index >= market.product_count
        or record.side < SIDE_BUY or record.side > SIDE_SELL or record.reserved != 0
        or not agreement_is_possible(record)
        or (record.flags & FLAGS_ADDRESSED) == FLAGS_ADDRESSED
        or record.price < 0 or record.price > PRICE_MAX or record.tonnes < 0
        or amount >= AMOUNT_LIMIT
        or record.cash_locked < 0 or record.tonnes_bid < 0 or record.tonnes_locked < 0
        or not locks_fit(market, record)
    ):
        return False
    if record.flags & BLOCK_FLAG_TO_ACCOUNT:
        if record.counterparty_index >= market.accounts.account_count:
            return False
    elif record.flags & (BLOCK_FLAG_COUNTERED | BLOCK_FLAG_BY_COUNTERPARTY) or (
        record.tonnes_locked != 0 if record.side == SIDE_BUY
        else record.cash_locked != 0 or record.tonnes_bid != 0
    ):
        # Nobody but a counterparty counters or locks.
        return False
    locks = locks_held(record)
    block_lock(&market.accounts, block_add(market, record), &locks)
    return True
