-- What the CCER registry has said of cancellations, and what this one has asked of it.
CREATE TABLE ccer_items (
    proof_seq BIGINT PRIMARY KEY CHECK (proof_seq > 0),     -- the CCER registry's, without gaps
    item BYTEA NOT NULL,                -- MessagePack: protocol/links/ccer.py
    head TEXT NOT NULL,                 -- SHA-256 of the head before, and the item
    signing_key TEXT NOT NULL,          -- the CCER registry's, public half
    signature TEXT NOT NULL             -- by it, of number and head
);
CREATE TABLE ccer_proofs (              -- what became of each proof
    proof TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    compliance_year BIGINT NOT NULL,
    proof_seq BIGINT NOT NULL UNIQUE REFERENCES ccer_items, -- that brought it
    state TEXT NOT NULL CHECK (state IN ('received', 'confirmed', 'refused', 'booked', 'reversed')),
    why TEXT NOT NULL                   -- it was refused or reversed
);
CREATE INDEX ccer_proofs_by_state ON ccer_proofs (state, proof_seq);
CREATE TABLE ccer_claims (              -- asked again until there is an answer
    claim_seq BIGINT PRIMARY KEY CHECK (claim_seq > 0),     -- without gaps
    step TEXT NOT NULL CHECK (step IN ('reserve', 'use')),
    proof TEXT NOT NULL,
    answer BYTEA,                       -- NULL before
    UNIQUE (proof, step)
);
CREATE INDEX ccer_claims_open ON ccer_claims (claim_seq) WHERE answer IS NULL;
