-- What the venue's settlement stream brought, and what became of it.
CREATE TABLE settlement_runs (
    first_seq BIGINT PRIMARY KEY CHECK (first_seq > 0),
    record_count BIGINT NOT NULL CHECK (record_count > 0),
    records BYTEA NOT NULL CHECK (length(records) = 160 * record_count),
    records_hash TEXT NOT NULL          -- SHA-256 of `records`, compared whenever they are read
);
CREATE TABLE trades (
    settlement_seq BIGINT PRIMARY KEY CHECK (settlement_seq > 0),
    trade_id BIGINT NOT NULL,
    trading_date BIGINT NOT NULL,
    method BIGINT NOT NULL,
    buyer_index BIGINT NOT NULL,
    seller_index BIGINT NOT NULL,
    product_index BIGINT NOT NULL,
    price BIGINT NOT NULL,
    tonnes BIGINT NOT NULL,
    cash BIGINT NOT NULL,
    buy_fee BIGINT NOT NULL,
    sell_fee BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('received', 'settled', 'failed', 'busted')),
    failure TEXT NOT NULL,              -- why it was not posted when it was due; '' if it was
    posted_seq BIGINT NOT NULL          -- that settlement had reached when it was posted: its own, or
                                        -- a later one; 0 is never
);
CREATE UNIQUE INDEX trades_by_id ON trades (trade_id);
CREATE INDEX trades_failed ON trades (trade_id) WHERE failure <> '';
CREATE INDEX trades_unsettled ON trades (state) WHERE state <> 'settled';
CREATE TABLE busts (
    settlement_seq BIGINT PRIMARY KEY CHECK (settlement_seq > 0),
    trade_seq BIGINT NOT NULL UNIQUE REFERENCES trades, -- settlement_seq of the trade
    reason BIGINT NOT NULL              -- 0: it was undone; else why not, and there are claims
);
CREATE TABLE claims (
    claim_id BIGINT PRIMARY KEY,
    settlement_seq BIGINT NOT NULL REFERENCES busts, -- of the bust
    trade_id BIGINT NOT NULL REFERENCES trades (trade_id),
    debtor_index BIGINT NOT NULL REFERENCES accounts, -- owes
    creditor_index BIGINT NOT NULL REFERENCES accounts, -- is owed
    asset_index BIGINT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0)
);
CREATE TABLE claims_paid (
    claim_id BIGINT PRIMARY KEY REFERENCES claims,
    entry_id BIGINT NOT NULL REFERENCES entries -- of the ledger, that paid it
);
CREATE TABLE checkpoints (
    settlement_seq BIGINT PRIMARY KEY,
    trading_date BIGINT NOT NULL,
    venue_hash TEXT NOT NULL,           -- 16 hexadecimal digits
    registry_hash TEXT NOT NULL
);
CREATE TABLE day_closes (
    trading_date BIGINT NOT NULL,
    product_index BIGINT NOT NULL REFERENCES products,
    settlement_seq BIGINT NOT NULL,
    PRIMARY KEY (trading_date, product_index)
) WITHOUT ROWID;
CREATE TABLE adoptions (
    log_id TEXT PRIMARY KEY,            -- of the stream that followed
    old_log_id TEXT NOT NULL,
    last_seq BIGINT NOT NULL,           -- the last record of the stream of before
    first_operator TEXT NOT NULL,
    second_operator TEXT NOT NULL,
    why TEXT NOT NULL,
    at_ns BIGINT NOT NULL
) WITHOUT ROWID;
CREATE TABLE postponed (                -- records that need what unposted trades would bring: legs
                                        -- that count in the compared hash, and are posted later
    settlement_seq BIGINT NOT NULL CHECK (settlement_seq > 0),
    leg BIGINT NOT NULL,
    kind BIGINT NOT NULL,               -- of the entry: withdrawn or bust
    business_date BIGINT NOT NULL,
    account_index BIGINT NOT NULL REFERENCES accounts,
    asset_index BIGINT NOT NULL,
    compartment BIGINT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount <> 0),
    posted_seq BIGINT NOT NULL,         -- that settlement had reached then; 0 is not yet
    PRIMARY KEY (settlement_seq, leg)
);
CREATE INDEX postponed_unposted ON postponed (settlement_seq) WHERE posted_seq = 0;
CREATE TABLE deliveries (               -- closed days whose trades are posted after the close
    trading_date BIGINT PRIMARY KEY,
    settlement_seq BIGINT NOT NULL,     -- of the day's last checkpoint: what came before is delivered
    completed_seq BIGINT NOT NULL       -- that settlement had reached when it was; 0 is not yet
);
