-- The numbered items for the registry, and its verdicts.
CREATE TABLE link_items (
    link_seq BIGINT PRIMARY KEY CHECK (link_seq > 0), -- without gaps
    item BYTEA NOT NULL,                          -- protocol/links/platform.py, LinkItem
    head TEXT NOT NULL                            -- over it and the head before
);
CREATE TABLE link_verdicts (
    link_seq BIGINT PRIMARY KEY REFERENCES link_items, -- without gaps
    is_posted BIGINT NOT NULL CHECK (is_posted IN (0, 1)),
    mismatches TEXT NOT NULL,                     -- as JSON
    mark TEXT NOT NULL,                           -- why what it computed again is no settled law
    notified_on BIGINT NOT NULL
);
CREATE TABLE link_resends (             -- of items that were refused, once mended
    link_seq BIGINT PRIMARY KEY REFERENCES link_verdicts, -- of the one that was refused
    again_seq BIGINT NOT NULL UNIQUE REFERENCES link_items
);
CREATE TABLE link_allocations (         -- which items tell of an allocation
    link_seq BIGINT PRIMARY KEY REFERENCES link_items,
    allocation_id BIGINT NOT NULL REFERENCES allocations
);
CREATE INDEX link_allocations_of ON link_allocations (allocation_id);
CREATE TABLE completions (              -- of obligations at the registry; the last counts
    completion_seq BIGINT PRIMARY KEY CHECK (completion_seq > 0), -- the registry's, without gaps
    enterprise_id BIGINT NOT NULL REFERENCES enterprises,
    compliance_year BIGINT NOT NULL,
    owed BIGINT NOT NULL CHECK (owed >= 0),
    surrendered BIGINT NOT NULL CHECK (surrendered >= 0),
    offset_tonnes BIGINT NOT NULL CHECK (offset_tonnes >= 0),
    completed_on BIGINT NOT NULL,                 -- 0 before
    applied BIGINT NOT NULL CHECK (applied >= 0), -- not decided there
    deducted BIGINT NOT NULL CHECK (deducted >= 0), -- of what is missing, from later allowances
    covered TEXT NOT NULL,                        -- day and tonnes that count from it, as JSON
    notified_on BIGINT NOT NULL
);
CREATE INDEX completions_of ON completions (compliance_year, enterprise_id, completion_seq);
CREATE TABLE registry_days (            -- of the registry's, before which it has told all
    business_date BIGINT PRIMARY KEY CHECK (business_date > 0)
);
