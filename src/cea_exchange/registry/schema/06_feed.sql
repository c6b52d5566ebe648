-- What is sent to the venue, and what it answers.
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
