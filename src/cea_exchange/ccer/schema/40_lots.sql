-- Where each serial number is, and how it came there. A serial is of an issue: its batch's.
CREATE TABLE lot_moves (
    move_id BIGINT PRIMARY KEY CHECK (move_id > 0),
    parent_id BIGINT NOT NULL CHECK (parent_id < move_id),  -- that had brought it to where it left;
                                                            -- 0: it was issued
    entry_id BIGINT NOT NULL REFERENCES entries, -- of the ledger: why, from whom
    issue_number BIGINT NOT NULL REFERENCES issues,
    serial_first BIGINT NOT NULL CHECK (serial_first > 0),
    serial_last BIGINT NOT NULL CHECK (serial_last >= serial_first),
    account_index BIGINT NOT NULL REFERENCES accounts, -- to whom
    compartment BIGINT NOT NULL         -- and where
);
CREATE INDEX lot_moves_by_parent ON lot_moves (parent_id);
CREATE INDEX lot_moves_by_entry ON lot_moves (entry_id);
CREATE TABLE lots (                     -- now; of one issue no two share a serial, and all serials
                                        -- that were issued are in one of them
    lot_id BIGINT PRIMARY KEY CHECK (lot_id > 0),
    issue_number BIGINT NOT NULL REFERENCES issues,
    serial_first BIGINT NOT NULL CHECK (serial_first > 0),
    serial_last BIGINT NOT NULL CHECK (serial_last >= serial_first),
    asset_index BIGINT NOT NULL REFERENCES products,
    account_index BIGINT NOT NULL REFERENCES accounts,
    compartment BIGINT NOT NULL,
    move_id BIGINT NOT NULL REFERENCES lot_moves -- that brought it here
);
CREATE UNIQUE INDEX lots_serials ON lots (issue_number, serial_first);
CREATE INDEX lots_held
    ON lots (account_index, asset_index, compartment, issue_number, serial_first);
CREATE INDEX lots_by_move ON lots (move_id);
CREATE TABLE lot_transfers (            -- on documents: succession, enforcement, an order
    transfer_id BIGINT PRIMARY KEY CHECK (transfer_id > 0),
    kind TEXT NOT NULL CHECK (kind IN ('transfer', 'succession', 'enforcement', 'order')),
    account_index BIGINT NOT NULL REFERENCES accounts,
    counter_index BIGINT NOT NULL REFERENCES accounts,
    asset_index BIGINT NOT NULL REFERENCES products,
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),
    document TEXT NOT NULL,
    business_date BIGINT NOT NULL
);
