-- How CCERs end, what is published of it, and the proofs that another registry counts.
CREATE TABLE cancellations (
    cancellation_id BIGINT PRIMARY KEY CHECK (cancellation_id > 0),
    account_index BIGINT NOT NULL REFERENCES accounts CHECK (account_index >= 0),
    asset_index BIGINT NOT NULL REFERENCES products,
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),
    purpose TEXT NOT NULL,              -- domain/ccer/cancellation.py; 'restitution': by order
    beneficiary TEXT NOT NULL,
    compliance_year BIGINT NOT NULL,    -- 0 is none
    state TEXT NOT NULL CHECK (state IN ('applied', 'done', 'refused')),
    why TEXT NOT NULL,                  -- it was refused
    certificate TEXT NOT NULL,          -- '' before
    applied_on BIGINT NOT NULL,
    decided_on BIGINT NOT NULL          -- 0 before
);
CREATE INDEX cancellations_by_state ON cancellations (state, cancellation_id);
CREATE TABLE cancellation_lots (
    cancellation_id BIGINT NOT NULL REFERENCES cancellations,
    issue_number BIGINT NOT NULL REFERENCES issues,
    serial_first BIGINT NOT NULL,
    serial_last BIGINT NOT NULL CHECK (serial_last >= serial_first),
    PRIMARY KEY (cancellation_id, issue_number, serial_first)
) WITHOUT ROWID;
CREATE TABLE certificates (             -- what everybody may read
    certificate TEXT PRIMARY KEY,
    cancellation_id BIGINT NOT NULL UNIQUE REFERENCES cancellations,
    issued_on BIGINT NOT NULL,
    content TEXT NOT NULL               -- JSON
);
CREATE TABLE proofs (                   -- of what was cancelled for the national market
    proof TEXT PRIMARY KEY,
    cancellation_id BIGINT NOT NULL REFERENCES cancellations,
    issue_number BIGINT NOT NULL REFERENCES issues,
    serial_first BIGINT NOT NULL,
    serial_last BIGINT NOT NULL CHECK (serial_last >= serial_first),
    beneficiary TEXT NOT NULL,
    compliance_year BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('issued', 'reserved', 'used', 'reversed'))
);
CREATE UNIQUE INDEX proofs_serials ON proofs (issue_number, serial_first);
CREATE TABLE proof_stream (             -- what is sent to the allowance registry, in order
    proof_seq BIGINT PRIMARY KEY CHECK (proof_seq > 0),     -- without gaps
    proof TEXT NOT NULL REFERENCES proofs,
    kind TEXT NOT NULL CHECK (kind IN ('issued', 'reversed')),
    item BYTEA NOT NULL,                -- MessagePack
    head TEXT NOT NULL,                 -- SHA-256 of the head before, and the item
    UNIQUE (proof, kind)
);
CREATE TABLE proof_claims (             -- what the allowance registry asked, and the first answer
    claim_seq BIGINT PRIMARY KEY CHECK (claim_seq > 0),     -- the asker's number, without gaps
    claim BYTEA NOT NULL,
    answer BYTEA NOT NULL
);
