-- What every row was and is, and the chain of hashes that no one can rewrite in part.
CREATE TABLE row_changes (              -- written by triggers: ledger/database/row_log.py
    change_id BIGINT PRIMARY KEY CHECK (change_id > 0), -- without gaps
    table_name TEXT NOT NULL,
    row_key TEXT NOT NULL,              -- the row's primary key
    image TEXT NOT NULL                 -- the whole row from then on; '' where it was deleted
);
CREATE TABLE chain (                    -- one link for each transaction: ledger/chain.py
    link_id BIGINT PRIMARY KEY CHECK (link_id > 0),     -- without gaps
    entry_last BIGINT NOT NULL,         -- the last entry, change of a row and settlement record of
    change_last BIGINT NOT NULL,        -- the transaction: the link covers what is between these
    record_last BIGINT NOT NULL,        -- and those of the link before
    content_hash TEXT NOT NULL,         -- of all of them, SHA-256, 64 hexadecimal digits
    receipt_root TEXT NOT NULL,         -- of the Merkle tree of a day's receipts; '' is none
    head TEXT NOT NULL                  -- of this link and all before it
);
