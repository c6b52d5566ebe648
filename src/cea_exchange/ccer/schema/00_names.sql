-- Whom and what the CCER registry knows by which index. Negative accounts are institutions
-- (ledger/institutions.py).
CREATE TABLE meta (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    institution TEXT NOT NULL,
    schema_version BIGINT NOT NULL,
    log_id TEXT,                        -- of the market's stream; NULL before its first record
    last_seq BIGINT NOT NULL CHECK (last_seq >= 0),
    confirmed_date BIGINT NOT NULL,     -- last day settled and agreed, yyyymmdd; 0 is none
    state TEXT NOT NULL                 -- 'ok' or 'diverged: ...'
);
CREATE TABLE accounts (
    account_index BIGINT PRIMARY KEY,
    account TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (
        kind IN ('institution', 'owner', 'entity', 'trader', 'vvb', 'province')
    ),
    entity TEXT NOT NULL UNIQUE,        -- legal name: one entity, one account
    credit_code TEXT UNIQUE,            -- of the entity, where it is known
    province BIGINT NOT NULL,           -- two-digit code; 0 is none
    holder TEXT NOT NULL CHECK (        -- who it is that would trade by it
        holder IN
            ('organisation', 'natural_person', 'authority', 'registry', 'verifier', 'staff')
    ),
    state TEXT NOT NULL CHECK (state IN ('open', 'restricted', 'closed')),
    opened_on BIGINT NOT NULL           -- yyyymmdd; 0: with the registry
);
CREATE TABLE look_alikes (                        -- names by what a reader sees: one for each
    kind TEXT NOT NULL,                           -- 'account', 'entity'
    folded TEXT NOT NULL,                         -- cea_exchange.domain.look_alikes
    name TEXT NOT NULL,
    PRIMARY KEY (kind, folded)
) WITHOUT ROWID;
CREATE TABLE account_changes (
    change_id BIGINT PRIMARY KEY CHECK (change_id > 0),
    account_index BIGINT NOT NULL REFERENCES accounts,
    business_date BIGINT NOT NULL,
    change TEXT NOT NULL CHECK (change IN ('opened', 'restricted', 'restored', 'closed')),
    by_persons TEXT NOT NULL,           -- 'an', or 'an and bo'; '' is the process itself
    why TEXT NOT NULL
);
CREATE INDEX account_changes_by_account ON account_changes (account_index, change_id);
CREATE TABLE products (                 -- instruments (标的): one for a project and generation year
    product_index BIGINT PRIMARY KEY CHECK (product_index BETWEEN 0 AND 65534),
    product TEXT NOT NULL UNIQUE,
    project_id BIGINT NOT NULL,
    generation_year BIGINT NOT NULL,
    UNIQUE (project_id, generation_year)
);
