-- What the registry is told, numbered, and what it says to it.
CREATE TABLE link_items (
    link_seq BIGINT PRIMARY KEY CHECK (link_seq > 0), -- without gaps
    item BYTEA NOT NULL,                          -- protocol/links/platform.py, LinkItem
    head TEXT NOT NULL                            -- over it and the head before
);
CREATE TABLE link_verdicts (
    link_seq BIGINT PRIMARY KEY CHECK (link_seq > 0), -- without gaps
    is_posted BIGINT NOT NULL CHECK (is_posted IN (0, 1)),
    mismatches TEXT NOT NULL,                     -- as JSON
    told_on BIGINT NOT NULL
);
