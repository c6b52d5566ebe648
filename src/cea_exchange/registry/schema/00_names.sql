-- Whom and what the registry knows by which index. Negative accounts are institutions
-- (ledger/institutions.py).
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
