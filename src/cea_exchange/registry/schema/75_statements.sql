-- Account statements: which entries a day's statement covers, and what participants objected to.
CREATE TABLE statement_days (
    business_date BIGINT PRIMARY KEY,             -- yyyymmdd, a confirmed day
    first_entry BIGINT NOT NULL,                  -- the entries since the day before
    last_entry BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('issued', 'accepted')),
    accepted_seq BIGINT NOT NULL,                 -- of the next day's opening; 0 before
    first_act BIGINT NOT NULL,                    -- the acts since the day before
    last_act BIGINT NOT NULL,
    link_id BIGINT NOT NULL                       -- of the chain, with the root of its receipts
);
CREATE INDEX statement_days_issued ON statement_days (state) WHERE state = 'issued';
CREATE TABLE objections (
    objection_id BIGINT PRIMARY KEY CHECK (objection_id > 0),
    account_index BIGINT NOT NULL REFERENCES accounts,
    business_date BIGINT NOT NULL REFERENCES statement_days, -- of the statement
    content TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'resolved')),
    answer TEXT NOT NULL,                         -- '' before
    made_date BIGINT NOT NULL,
    resolved_date BIGINT NOT NULL                 -- 0 before
);
CREATE INDEX objections_of ON objections (account_index, business_date);
CREATE INDEX objections_open ON objections (objection_id) WHERE state = 'open';
