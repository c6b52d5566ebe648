-- The exchange: what it is sent, what its settlement stream brought, and what became of it. The cash
-- of a trade is the exchange's affair, and here for the comparison of a day's totals only.
CREATE TABLE feed (                     -- what is sent to the venue, in order
    transfer_seq BIGINT PRIMARY KEY CHECK (transfer_seq > 0),
    item BYTEA NOT NULL
);
CREATE TABLE keys (                     -- that act at the venue
    public_key TEXT PRIMARY KEY,
    account_index BIGINT NOT NULL REFERENCES accounts,
    operator_index BIGINT NOT NULL CHECK (operator_index BETWEEN 0 AND 15),
    role TEXT NOT NULL CHECK (role IN ('trader', 'canceller', 'reader')),
    revoked BIGINT NOT NULL CHECK (revoked IN (0, 1))
) WITHOUT ROWID;
CREATE TABLE listings (                 -- instruments as the venue knows them
    market_index BIGINT PRIMARY KEY CHECK (market_index BETWEEN 0 AND 65534), -- at the venue
    asset_index BIGINT NOT NULL UNIQUE REFERENCES products,
    reference_price BIGINT NOT NULL CHECK (reference_price > 0), -- fen a tonne, as declared
    listing_date BIGINT NOT NULL,       -- from which day on, as declared; 0: as soon as may be
    account_index BIGINT NOT NULL REFERENCES accounts, -- who declared it
    business_date BIGINT NOT NULL
);
CREATE TABLE market_transfers (         -- between registration and trading accounts
    transfer_seq BIGINT PRIMARY KEY REFERENCES feed,
    direction TEXT NOT NULL CHECK (direction IN ('in', 'out', 'court', 'recall')),
    account_index BIGINT NOT NULL REFERENCES accounts CHECK (account_index >= 0),
    asset_index BIGINT NOT NULL REFERENCES products,
    tonnes BIGINT NOT NULL CHECK (tonnes > 0), -- asked; an order gets less where there is less
    entry_id BIGINT NOT NULL,           -- that took them on their way in; 0: nothing had moved
    state TEXT NOT NULL CHECK (state IN ('pending', 'completed', 'rejected')),
    reason BIGINT NOT NULL,
    settlement_seq BIGINT NOT NULL      -- of the venue's answer; 0 before
);
CREATE INDEX market_transfers_pending ON market_transfers (state) WHERE state = 'pending';
CREATE TABLE settlement_runs (
    first_seq BIGINT PRIMARY KEY CHECK (first_seq > 0),
    record_count BIGINT NOT NULL CHECK (record_count > 0),
    records BYTEA NOT NULL CHECK (length(records) = 160 * record_count),
    records_hash TEXT NOT NULL          -- SHA-256 of `records`, compared whenever they are read
);
CREATE TABLE trades (
    settlement_seq BIGINT PRIMARY KEY CHECK (settlement_seq > 0),
    trade_id BIGINT NOT NULL UNIQUE,
    trading_date BIGINT NOT NULL,
    method BIGINT NOT NULL,
    buyer_index BIGINT NOT NULL REFERENCES accounts,
    seller_index BIGINT NOT NULL REFERENCES accounts,
    asset_index BIGINT NOT NULL REFERENCES products,
    price BIGINT NOT NULL,
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),
    cash BIGINT NOT NULL,
    buy_fee BIGINT NOT NULL,
    sell_fee BIGINT NOT NULL
);
CREATE INDEX trades_by_day ON trades (trading_date, asset_index);
CREATE TABLE busts (
    settlement_seq BIGINT PRIMARY KEY CHECK (settlement_seq > 0),
    trade_seq BIGINT NOT NULL UNIQUE REFERENCES trades, -- settlement_seq of the trade
    reason BIGINT NOT NULL              -- 0: it was undone; else why not: the buyer owes the tonnes
);
CREATE TABLE deliveries (               -- tonnes that the venue moved or let go, each posted once
    settlement_seq BIGINT PRIMARY KEY CHECK (settlement_seq > 0), -- of the record
    kind TEXT NOT NULL CHECK (kind IN ('trade', 'bust', 'withdrawn')),
    business_date BIGINT NOT NULL,
    account_index BIGINT NOT NULL REFERENCES accounts, -- from whom
    counter_index BIGINT NOT NULL REFERENCES accounts, -- to whom; the same: to his registration
    asset_index BIGINT NOT NULL REFERENCES products,
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),
    state TEXT NOT NULL CHECK (state IN ('waiting', 'failed', 'posted', 'undone')),
    entry_id BIGINT NOT NULL            -- that posted it; 0 before, and where it was undone before
);
CREATE INDEX deliveries_unposted ON deliveries (settlement_seq) WHERE entry_id = 0;
CREATE TABLE checkpoints (
    settlement_seq BIGINT PRIMARY KEY,
    trading_date BIGINT NOT NULL,
    venue_hash TEXT NOT NULL,           -- 16 hexadecimal digits
    registry_hash TEXT NOT NULL
);
CREATE TABLE day_closes (
    trading_date BIGINT NOT NULL,
    market_index BIGINT NOT NULL REFERENCES listings,
    settlement_seq BIGINT NOT NULL,
    PRIMARY KEY (trading_date, market_index)
) WITHOUT ROWID;
CREATE TABLE market_days (
    trading_date BIGINT PRIMARY KEY,    -- that the venue has opened
    opened_seq BIGINT NOT NULL CHECK (opened_seq > 0),
    closed_seq BIGINT NOT NULL,         -- of the checkpoint after its close: what came before is due
    completed_seq BIGINT NOT NULL       -- that settlement had reached when all of it was; 0: not yet
);
