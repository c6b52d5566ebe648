-- Who holds what: append-only postings, and what they are caused by. Amounts are tonnes, or fen of
-- cash (asset 65535). Negative accounts are institutions (ledger/institutions.py).
-- A column that says another table's row REFERENCES it, but in `trades`, `entries`, `postings` and
-- `snapshot_balances`: a look-up for each of millions of rows would cost settling too much. There,
-- and where an asset may be cash or 0 says none, the audit looks (ledger/database/references.py).
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
