-- Breaches, and what was done about each, step by step.
CREATE TABLE cases (
    case_id BIGINT PRIMARY KEY CHECK (case_id > 0),
    province BIGINT NOT NULL,
    enterprise_id BIGINT NOT NULL,                -- whose breach; 0: a firm's
    firm_id BIGINT NOT NULL,                      -- 0: an enterprise's
    offence TEXT NOT NULL,                        -- 'unpaid', or of domain/compliance/enforcement
    compliance_year BIGINT NOT NULL,              -- 0 is of none
    committed_on BIGINT NOT NULL,
    shortfall BIGINT NOT NULL CHECK (shortfall >= 0), -- tonnes that were not surrendered
    gains_fen BIGINT NOT NULL CHECK (gains_fen >= 0),
    state TEXT NOT NULL,                          -- platform/enforcement/steps.py
    decide_by BIGINT NOT NULL,
    fine_fen BIGINT NOT NULL CHECK (fine_fen >= 0), -- decided, all stages together; 0 before
    paid_fen BIGINT NOT NULL CHECK (paid_fen >= 0),
    pay_by BIGINT NOT NULL                        -- 0 before it was served
);
CREATE INDEX cases_of ON cases (enterprise_id, compliance_year);
CREATE INDEX cases_in ON cases (province, state);
CREATE TABLE case_steps (
    step_id BIGINT PRIMARY KEY CHECK (step_id > 0),
    case_id BIGINT NOT NULL REFERENCES cases,
    step TEXT NOT NULL,
    day BIGINT NOT NULL,
    due_on BIGINT NOT NULL,                       -- what it sets a day for; 0 is nothing
    fen BIGINT NOT NULL,                          -- fined or paid; 0 is nothing
    tonnes BIGINT NOT NULL,                       -- still missing, or cut; 0 is nothing
    document TEXT NOT NULL,
    words TEXT NOT NULL,                          -- the law chosen and why, what was appealed
    person TEXT NOT NULL
);
CREATE INDEX case_steps_of ON case_steps (case_id, step_id);
