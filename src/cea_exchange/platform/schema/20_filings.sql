-- What enterprises hand in: each a document with versions, none of which is ever overwritten.
CREATE TABLE evidence (                           -- documents, known by the hash of their bytes
    evidence_id BIGINT PRIMARY KEY CHECK (evidence_id > 0),
    enterprise_id BIGINT NOT NULL REFERENCES enterprises,
    sha256 TEXT NOT NULL,
    file TEXT NOT NULL,
    content BYTEA NOT NULL,
    brought_by TEXT NOT NULL,
    brought_at_ns BIGINT NOT NULL,
    UNIQUE (enterprise_id, sha256)
);
CREATE INDEX evidence_same ON evidence (sha256);
CREATE TABLE evidence_pages (                     -- of documents whose pages are known
    evidence_id BIGINT NOT NULL REFERENCES evidence,
    page BIGINT NOT NULL CHECK (page > 0),        -- from 1, blank ones left out
    sha256 TEXT NOT NULL,                         -- of what is on it
    PRIMARY KEY (evidence_id, page)
);
CREATE INDEX evidence_pages_same ON evidence_pages (sha256);
CREATE TABLE filings (                            -- a version of a document
    filing_id BIGINT PRIMARY KEY CHECK (filing_id > 0),
    kind TEXT NOT NULL CHECK (kind IN ('plan', 'month', 'report')),
    enterprise_id BIGINT NOT NULL REFERENCES enterprises,
    unit_id BIGINT NOT NULL,                      -- of a month; 0: the whole enterprise's
    period BIGINT NOT NULL,                       -- yyyymm of a month, else yyyy
    version BIGINT NOT NULL CHECK (version > 0),
    content TEXT NOT NULL,                        -- JSON; of a plan its file's name and hash
    sha256 TEXT NOT NULL,                         -- of the content
    emission TEXT NOT NULL,                       -- tonnes of CO2 that follow; '' of a plan
    mark TEXT NOT NULL,                           -- why they are no settled law: 'second_hand'
    reason TEXT NOT NULL,                         -- why there is another version; '' of the first
    due_on BIGINT NOT NULL,                       -- yyyymmdd
    entered_on BIGINT NOT NULL,
    entered_by TEXT NOT NULL,
    entered_key TEXT NOT NULL,
    UNIQUE (enterprise_id, kind, period, unit_id, version)
);
CREATE TABLE filing_steps (                       -- what was done with a version, and by whom
    step_id BIGINT PRIMARY KEY CHECK (step_id > 0),
    filing_id BIGINT NOT NULL REFERENCES filings,
    step TEXT NOT NULL CHECK (step IN ('filed', 'passed', 'returned', 'accepted')),
    level TEXT NOT NULL CHECK (level IN ('enterprise', 'city', 'province', 'nation')),
    person TEXT NOT NULL,
    person_key TEXT NOT NULL,
    why TEXT NOT NULL,                            -- of what was returned
    day BIGINT NOT NULL                           -- yyyymmdd
);
CREATE INDEX filing_steps_of ON filing_steps (filing_id, step_id);
CREATE TABLE documents (                          -- where each document stands now
    kind TEXT NOT NULL,
    enterprise_id BIGINT NOT NULL REFERENCES enterprises,
    unit_id BIGINT NOT NULL,
    period BIGINT NOT NULL,
    filing_id BIGINT NOT NULL REFERENCES filings, -- the latest version
    state TEXT NOT NULL CHECK (state IN ('draft', 'filed', 'returned', 'accepted')),
    accepted_id BIGINT NOT NULL,                  -- the version that counts; 0 is none
    PRIMARY KEY (enterprise_id, kind, period, unit_id)
);
CREATE INDEX documents_in ON documents (kind, period, state);
CREATE TABLE reminders (                          -- what enterprises were reminded of, each once
    reminder_id BIGINT PRIMARY KEY CHECK (reminder_id > 0),
    enterprise_id BIGINT NOT NULL REFERENCES enterprises,
    kind TEXT NOT NULL,
    period BIGINT NOT NULL,
    due_on BIGINT NOT NULL,
    is_late BIGINT NOT NULL CHECK (is_late IN (0, 1)),
    made_on BIGINT NOT NULL,
    UNIQUE (enterprise_id, kind, period, is_late)
);
