-- Who holds what: append-only postings, and what they are caused by. Amounts are tonnes, or fen of
-- cash (asset 65535). Negative accounts are institutions (ledger/institutions.py).
-- A column that says another table's row REFERENCES it, but in `trades`, `entries`, `postings` and
-- `snapshot_balances`: a look-up for each of millions of rows would cost settling too much. There,
-- and where an asset may be cash or 0 says none, the audit looks (ledger/database/references.py).
CREATE TABLE meta (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    schema_version BIGINT NOT NULL,
    log_id TEXT,                        -- of the venue's stream; NULL before its first record
    last_seq BIGINT NOT NULL CHECK (last_seq >= 0),
    confirmed_date BIGINT NOT NULL,     -- last day settled and agreed, yyyymmdd; 0 is none
    state TEXT NOT NULL                 -- 'ok' or 'diverged: ...'
);
CREATE TABLE accounts (
    account_index BIGINT PRIMARY KEY,             -- the venue's index, or an institution's below 0
    account TEXT NOT NULL UNIQUE,
    account_group TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('institution', 'province', 'entity')),
    entity TEXT NOT NULL UNIQUE,                  -- legal name: one entity, one account
    credit_code TEXT UNIQUE,                      -- of the entity, where it is known
    province BIGINT NOT NULL,                     -- two-digit code; 0 is none
    state TEXT NOT NULL CHECK (state IN ('open', 'suspended', 'merged', 'closed')),
    at_risk BIGINT NOT NULL CHECK (at_risk IN (0, 1)),
    bank TEXT NOT NULL,                           -- settlement bank, '' if none
    bank_account TEXT NOT NULL,                   -- sub-account there
    sector TEXT NOT NULL                          -- of the entity, '' if not given
);
CREATE INDEX accounts_by_bank_account ON accounts (lower(bank_account));
CREATE TABLE look_alikes (                        -- names by what a reader sees: one for each
    kind TEXT NOT NULL,                           -- 'account', 'entity', 'group', 'product'
    folded TEXT NOT NULL,                         -- cea_exchange.domain.look_alikes
    name TEXT NOT NULL,
    PRIMARY KEY (kind, folded)
) WITHOUT ROWID;
CREATE TABLE products (
    product_index BIGINT PRIMARY KEY CHECK (product_index BETWEEN 0 AND 65534),
    product TEXT NOT NULL UNIQUE,
    reference_price BIGINT NOT NULL CHECK (reference_price > 0),
    vintage BIGINT                                -- last year of the vintage; NULL has none
);
CREATE TABLE keys (
    public_key TEXT PRIMARY KEY,
    account_index BIGINT NOT NULL REFERENCES accounts,
    operator_index BIGINT NOT NULL CHECK (operator_index BETWEEN 0 AND 15),
    role TEXT NOT NULL,
    cancel_on_disconnect BIGINT NOT NULL CHECK (cancel_on_disconnect IN (0, 1)),
    revoked BIGINT NOT NULL
) WITHOUT ROWID;
CREATE TABLE entries (
    entry_id BIGINT PRIMARY KEY CHECK (entry_id > 0), -- the ledger's sequence, without gaps
    kind BIGINT NOT NULL,                         -- why: ledger/double_entry.py, EntryKind
    settlement_seq BIGINT NOT NULL,               -- that settlement had reached: the record's that
                                                  -- caused it, where a record did
    business_date BIGINT NOT NULL,                -- yyyymmdd; 0: a record while no day was open
    account_index BIGINT NOT NULL,                -- what was to move, from whom
    counter_index BIGINT NOT NULL,                -- to whom; a trade's figures are in `trades`
    asset_index BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    reference TEXT NOT NULL,                      -- of the act: 'surrender 12', '' is none
    act_id BIGINT NOT NULL                        -- the act that caused it; 0: a settlement record
);
CREATE TABLE entry_days (                         -- where the entries' day changes, so that a day is
                                                  -- found among millions; an index of all costs more
    first_entry BIGINT PRIMARY KEY REFERENCES entries, -- from this one on, up to the next row's,
    business_date BIGINT NOT NULL                 -- all entries are of this day
);
CREATE INDEX entry_days_by_date ON entry_days (business_date, first_entry);
CREATE TABLE postings (
    posting_id BIGINT PRIMARY KEY,                -- 8 * entry_id + leg
    account_index BIGINT NOT NULL,
    asset_index BIGINT NOT NULL,
    compartment BIGINT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount <> 0)
);
CREATE TABLE snapshots (
    entry_id BIGINT PRIMARY KEY REFERENCES entries, -- the last entry that counts
    settlement_seq BIGINT NOT NULL,               -- last_seq then
    business_date BIGINT NOT NULL
);
CREATE TABLE snapshot_balances (
    entry_id BIGINT NOT NULL,
    account_index BIGINT NOT NULL,
    asset_index BIGINT NOT NULL,
    compartment BIGINT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0 OR (amount < 0 AND account_index IN (-1, -2))),
    PRIMARY KEY (entry_id, account_index, asset_index, compartment)
) WITHOUT ROWID;
CREATE VIEW balances AS
SELECT account_index, asset_index, compartment, sum(amount) AS amount
FROM (
    SELECT account_index, asset_index, compartment, amount FROM snapshot_balances
    WHERE entry_id = (SELECT max(entry_id) FROM snapshots)
    UNION ALL
    SELECT account_index, asset_index, compartment, amount FROM postings
    WHERE posting_id >= 8 * (1 + (SELECT coalesce(max(entry_id), 0) FROM snapshots))
) AS counted
GROUP BY account_index, asset_index, compartment
HAVING sum(amount) <> 0;
CREATE TABLE business_days (                      -- each that began, by the registry's own clock
    business_date BIGINT PRIMARY KEY CHECK (business_date > 0),
    began_ns BIGINT NOT NULL                      -- when the registry noticed
);
CREATE TABLE clock_acts (                         -- what persons did about the registry's clock
    clock_act_id BIGINT PRIMARY KEY CHECK (clock_act_id > 0),
    act TEXT NOT NULL CHECK (act IN ('move', 'confirm')),
    at_ns BIGINT NOT NULL                         -- where a manual clock was moved; what was right
);
CREATE TABLE feed (
    transfer_seq BIGINT PRIMARY KEY CHECK (transfer_seq > 0),
    item BYTEA NOT NULL
);
CREATE TABLE transfers (
    transfer_seq BIGINT PRIMARY KEY REFERENCES feed,
    direction TEXT NOT NULL                       -- court, recall: out, for freezes and recalls
        CHECK (direction IN ('in', 'out', 'court', 'recall')),
    account_index BIGINT NOT NULL REFERENCES accounts,
    asset_index BIGINT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),    -- asked; for court and recall it may be less
    state TEXT NOT NULL CHECK (state IN ('pending', 'completed', 'rejected')),
    reason BIGINT NOT NULL,
    settlement_seq BIGINT NOT NULL                -- of the venue's answer
);
CREATE INDEX transfers_pending ON transfers (state) WHERE state = 'pending';
CREATE TABLE requests (
    request_id TEXT PRIMARY KEY,                  -- the asker's own; a repeat gets the first answer
    request BYTEA NOT NULL,
    answer BYTEA NOT NULL
) WITHOUT ROWID;
