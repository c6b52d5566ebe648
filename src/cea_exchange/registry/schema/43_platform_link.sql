-- What the management platform has sent, and what became of it. Every table is only added to.
CREATE TABLE platform_stream (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    log_id TEXT NOT NULL                -- whose numbers these are
);
CREATE TABLE platform_items (           -- posted whole, or refused whole
    link_seq BIGINT PRIMARY KEY CHECK (link_seq > 0),       -- the platform's, without gaps
    item BYTEA NOT NULL,                -- MessagePack: protocol/links/platform.py
    head TEXT NOT NULL,                 -- SHA-256 of the head before, and the item
    is_posted BIGINT NOT NULL CHECK (is_posted IN (0, 1)),
    mismatches BYTEA NOT NULL,          -- MessagePack: the lines that are computed otherwise
    mark TEXT NOT NULL,                 -- of its lines: 'draft second_hand'; '' is settled law
    business_date BIGINT NOT NULL
);
CREATE TABLE platform_listings (        -- the last one of an entity and year counts
    link_seq BIGINT PRIMARY KEY REFERENCES platform_items,
    list_year BIGINT NOT NULL,
    enterprise TEXT NOT NULL,           -- its name at the platform
    credit_code TEXT NOT NULL,
    province BIGINT NOT NULL,
    sector TEXT NOT NULL,
    is_listed BIGINT NOT NULL CHECK (is_listed IN (0, 1))
);
CREATE INDEX platform_listings_of ON platform_listings (enterprise, link_seq);
CREATE INDEX platform_listings_by_code ON platform_listings (credit_code, link_seq);
CREATE TABLE platform_given (           -- what was computed and posted, line by line
    link_seq BIGINT NOT NULL REFERENCES platform_items,
    account_index BIGINT NOT NULL REFERENCES accounts,
    compliance_year BIGINT NOT NULL,
    allocation_id BIGINT NOT NULL,      -- the platform's
    is_recall BIGINT NOT NULL CHECK (is_recall IN (0, 1)),  -- of that allocation
    tonnes BIGINT NOT NULL CHECK (tonnes >= 0),             -- determined for the whole year
    verified BIGINT NOT NULL CHECK (verified >= 0),         -- of all units
    emissions BIGINT NOT NULL CHECK (emissions >= 0),       -- of those within the plan
    duty BIGINT NOT NULL CHECK (duty >= 0),                 -- what is owed for them
    mark TEXT NOT NULL,                 -- why that is no settled law; '' it is
    PRIMARY KEY (link_seq, account_index)
) WITHOUT ROWID;
CREATE INDEX platform_given_of ON platform_given (account_index, compliance_year, link_seq);
CREATE TABLE platform_completions (     -- obligations of which something was covered
    completion_seq BIGINT PRIMARY KEY CHECK (completion_seq > 0),
    account_index BIGINT NOT NULL REFERENCES accounts,
    compliance_year BIGINT NOT NULL,
    owed BIGINT NOT NULL CHECK (owed >= 0),
    surrendered BIGINT NOT NULL CHECK (surrendered >= 0),
    offset_tonnes BIGINT NOT NULL CHECK (offset_tonnes >= 0),
    completed_on BIGINT NOT NULL,       -- yyyymmdd; 0 before
    applied BIGINT NOT NULL CHECK (applied >= 0), -- for which nobody has decided yet
    deducted BIGINT NOT NULL CHECK (deducted >= 0), -- of what is missing, from later allowances
    covered TEXT NOT NULL               -- day and tonnes that count from it, as JSON
);
