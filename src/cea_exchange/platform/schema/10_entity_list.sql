-- Who has to report: enterprises and their units, what was true of them from which day on, and the
-- list of each year.
CREATE TABLE enterprises (
    enterprise_id BIGINT PRIMARY KEY CHECK (enterprise_id > 0),
    enterprise TEXT NOT NULL UNIQUE,              -- its short name, also that of its account
    credit_code TEXT NOT NULL UNIQUE,
    province BIGINT NOT NULL,                     -- two digits, domain/provinces.py
    sector TEXT NOT NULL CHECK (sector IN ('power', 'steel', 'cement', 'aluminium')),
    ended_on BIGINT NOT NULL,                     -- yyyymmdd of its end; 0 before
    successor_id BIGINT NOT NULL                  -- who is in its place; 0 is nobody
);
CREATE INDEX enterprises_of ON enterprises (province, sector, enterprise);
CREATE TABLE look_alikes (                        -- names by what a reader sees: one for each
    kind TEXT NOT NULL,                           -- 'enterprise', 'firm'
    folded TEXT NOT NULL,                         -- cea_exchange.domain.look_alikes
    name TEXT NOT NULL,
    PRIMARY KEY (kind, folded)
) WITHOUT ROWID;
CREATE TABLE enterprise_facts (                   -- the last one not after a day is true on it
    fact_id BIGINT PRIMARY KEY CHECK (fact_id > 0),
    enterprise_id BIGINT NOT NULL REFERENCES enterprises,
    valid_from BIGINT NOT NULL,                   -- yyyymmdd
    title TEXT NOT NULL,                          -- its legal name
    city BIGINT NOT NULL,                         -- four digits, the first two its province's
    sector_code TEXT NOT NULL,                    -- of the classification of industries
    sub_type TEXT NOT NULL,                       -- '' is none
    document TEXT NOT NULL                        -- what says so
);
CREATE INDEX enterprise_facts_of ON enterprise_facts (enterprise_id, valid_from);
CREATE TABLE account_parts (                      -- of its account that are active besides filing
    part_id BIGINT PRIMARY KEY CHECK (part_id > 0),
    enterprise_id BIGINT NOT NULL REFERENCES enterprises,
    part TEXT NOT NULL CHECK (part IN ('registry', 'voluntary')),
    form TEXT NOT NULL,                           -- SHA-256 of the form that it brought
    activated_by TEXT NOT NULL,
    activated_on BIGINT NOT NULL,
    UNIQUE (enterprise_id, part)
);
CREATE TABLE units (
    unit_id BIGINT PRIMARY KEY CHECK (unit_id > 0),
    unit TEXT NOT NULL UNIQUE
);
CREATE TABLE unit_facts (                         -- the last one not after a day is true on it
    fact_id BIGINT PRIMARY KEY CHECK (fact_id > 0),
    unit_id BIGINT NOT NULL REFERENCES units,
    valid_from BIGINT NOT NULL,                   -- yyyymmdd
    enterprise_id BIGINT NOT NULL,                -- whose it is; 0: it has stopped for good
    facts TEXT NOT NULL,                          -- its technical facts, as JSON
    document TEXT NOT NULL
);
CREATE INDEX unit_facts_of ON unit_facts (unit_id, valid_from);
CREATE INDEX unit_facts_whose ON unit_facts (enterprise_id);
CREATE TABLE successions (                        -- mergers and splits
    succession_id BIGINT PRIMARY KEY CHECK (succession_id > 0),
    kind TEXT NOT NULL CHECK (kind IN ('merged', 'split')),
    enterprise_id BIGINT NOT NULL REFERENCES enterprises,
    successor_id BIGINT NOT NULL REFERENCES enterprises,
    share_bp BIGINT NOT NULL CHECK (share_bp BETWEEN 0 AND 10000), -- of what was owed, that it owes
    decided_on BIGINT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX successions_of ON successions (enterprise_id);
CREATE TABLE complex_members (                    -- works of several that report as one
    member_id BIGINT PRIMARY KEY CHECK (member_id > 0),
    enterprise_id BIGINT NOT NULL REFERENCES enterprises, -- who reports for them, a member too
    site TEXT NOT NULL,
    decided_on BIGINT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX complex_members_of ON complex_members (enterprise_id);
CREATE TABLE list_changes (                       -- who entered the list of a year, and who left it
    change_id BIGINT PRIMARY KEY CHECK (change_id > 0),
    list_year BIGINT NOT NULL,
    enterprise_id BIGINT NOT NULL REFERENCES enterprises,
    change TEXT NOT NULL CHECK (change IN ('entered', 'left')),
    cause TEXT NOT NULL,
    tonnes BIGINT NOT NULL CHECK (tonnes >= 0),   -- direct emissions that it rests on
    decided_on BIGINT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX list_changes_of ON list_changes (list_year, enterprise_id, change_id);
CREATE TABLE list_publications (                  -- a province's list of a year as it was published
    publication_id BIGINT PRIMARY KEY CHECK (publication_id > 0),
    list_year BIGINT NOT NULL,
    province BIGINT NOT NULL,
    published_on BIGINT NOT NULL,
    last_change BIGINT NOT NULL REFERENCES list_changes, -- of list_changes, that it counts in
    content BYTEA NOT NULL                        -- the file, byte for byte
);
CREATE INDEX list_publications_of ON list_publications (list_year, province, publication_id);
