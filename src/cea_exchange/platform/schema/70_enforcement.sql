-- Breaches, and what was done about each, step by step.
CREATE TABLE cases (
    case_id BIGINT PRIMARY KEY CHECK (case_id > 0),
    province BIGINT NOT NULL,
    enterprise_id BIGINT NOT NULL,                -- whose breach; 0: a firm's
    firm_id BIGINT NOT NULL,                      -- 0: an enterprise's
    offence TEXT NOT NULL,                        -- 'unpaid', or of domain/compliance/enforcement
    compliance_year BIGINT NOT NULL,              -- 0 is of none
    committed_on BIGINT NOT NULL,                 -- when it ended, where it went on
    found_on BIGINT NOT NULL,
    opened_on BIGINT NOT NULL,
    apart TEXT NOT NULL,                          -- why it is another act than one of that day
    shortfall BIGINT NOT NULL CHECK (shortfall >= 0), -- missing at the deadline, by the registry
    gains_fen BIGINT NOT NULL CHECK (gains_fen >= 0),
    state TEXT NOT NULL,                          -- platform/enforcement/steps.py
    fine_fen BIGINT NOT NULL CHECK (fine_fen >= 0), -- in force, all stages together; 0 before
    paid_fen BIGINT NOT NULL CHECK (paid_fen >= 0)
);
CREATE INDEX cases_of ON cases (enterprise_id, compliance_year);
CREATE INDEX cases_in ON cases (province, state);
CREATE TABLE case_steps (
    step_id BIGINT PRIMARY KEY CHECK (step_id > 0),
    case_id BIGINT NOT NULL REFERENCES cases,
    decision_id BIGINT NOT NULL,                  -- of which decision; 0: of none
    step TEXT NOT NULL,
    day BIGINT NOT NULL,
    due_on BIGINT NOT NULL,                       -- the day that it sets by itself; 0: none
    is_late BIGINT NOT NULL CHECK (is_late IN (0, 1)), -- behind the authority's own term
    fen BIGINT NOT NULL,                          -- fined or paid; 0 is nothing
    tonnes BIGINT NOT NULL,                       -- still missing, or cut; 0 is nothing
    document TEXT NOT NULL,
    words TEXT NOT NULL,                          -- the law chosen and why, what was appealed
    person TEXT NOT NULL
);
CREATE INDEX case_steps_of ON case_steps (case_id, step_id);
CREATE TABLE case_decisions (
    decision_id BIGINT PRIMARY KEY CHECK (decision_id > 0),
    case_id BIGINT NOT NULL REFERENCES cases,
    stage BIGINT NOT NULL CHECK (stage IN (1, 2)), -- 2: of what was missing after the order's term
    law TEXT NOT NULL,                            -- the article
    fine_fen BIGINT NOT NULL CHECK (fine_fen > 0), -- as decided; rulings may lower it
    confiscated_fen BIGINT NOT NULL CHECK (confiscated_fen >= 0),
    measures TEXT NOT NULL,                       -- with commas between; '' is none
    tonnes BIGINT NOT NULL,                       -- of which the fine is; 0: of none
    decided_on BIGINT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX case_decisions_of ON case_decisions (case_id);
CREATE TABLE case_persons (                       -- who answers for it, and is fined
    decision_id BIGINT NOT NULL REFERENCES case_decisions,
    name TEXT NOT NULL,
    fine_fen BIGINT NOT NULL CHECK (fine_fen > 0),
    ban TEXT NOT NULL CHECK (ban IN ('', 'years', 'life')),
    PRIMARY KEY (decision_id, name)
);
CREATE TABLE case_rulings (                       -- how reviews and suits ended
    ruling_id BIGINT PRIMARY KEY CHECK (ruling_id > 0),
    decision_id BIGINT NOT NULL REFERENCES case_decisions,
    kind TEXT NOT NULL CHECK (kind IN ('review', 'suit')),
    outcome TEXT NOT NULL CHECK (outcome IN ('upheld', 'changed', 'revoked', 'withdrawn')),
    fine_fen BIGINT NOT NULL CHECK (fine_fen >= 0), -- from then on
    ruled_on BIGINT NOT NULL
);
CREATE INDEX case_rulings_of ON case_rulings (decision_id, ruling_id);
CREATE TABLE case_parts (                         -- instalments that were granted
    decision_id BIGINT NOT NULL REFERENCES case_decisions,
    due_on BIGINT NOT NULL,
    fen BIGINT NOT NULL CHECK (fen > 0),
    PRIMARY KEY (decision_id, due_on)
);
CREATE TABLE case_payments (
    payment_id BIGINT PRIMARY KEY CHECK (payment_id > 0),
    decision_id BIGINT NOT NULL REFERENCES case_decisions,
    payer TEXT NOT NULL,                          -- a person fined; '': the organisation
    fen BIGINT NOT NULL CHECK (fen > 0),
    paid_on BIGINT NOT NULL
);
CREATE INDEX case_payments_of ON case_payments (decision_id);
