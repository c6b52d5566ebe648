-- VVBs' licences, projects and batches of reductions, and every step of theirs. Days are yyyymmdd,
-- 0 is none.
CREATE TABLE accreditations (           -- of a VVB for one sector
    accreditation_id BIGINT PRIMARY KEY CHECK (accreditation_id > 0),
    account_index BIGINT NOT NULL REFERENCES accounts, -- the VVB's
    sector BIGINT NOT NULL CHECK (sector BETWEEN 1 AND 16),
    from_date BIGINT NOT NULL,
    until_date BIGINT NOT NULL,         -- last day; 0: none is known
    document TEXT NOT NULL              -- the notice that says so
);
CREATE INDEX accreditations_of ON accreditations (account_index, sector);
CREATE TABLE projects (
    project_id BIGINT PRIMARY KEY CHECK (project_id > 0),
    project TEXT NOT NULL UNIQUE,       -- its code
    title TEXT NOT NULL,
    owner_index BIGINT NOT NULL REFERENCES accounts,
    methodology TEXT NOT NULL,
    sector BIGINT NOT NULL,
    started_on BIGINT NOT NULL,
    crediting_from BIGINT NOT NULL CHECK (crediting_from >= started_on),
    crediting_to BIGINT NOT NULL CHECK (crediting_to > crediting_from),
    quota_managed TEXT NOT NULL CHECK (quota_managed IN ('no', 'regional', 'national')),
    is_legal_duty BIGINT NOT NULL CHECK (is_legal_duty IN (0, 1)),
    state TEXT NOT NULL CHECK (state IN (
        'draft', 'published', 'validating', 'validated', 'applied', 'registered',
        'deregistered', 'revoked', 'recalled'
    )),
    validator_index BIGINT REFERENCES accounts, -- the VVB that validates it; NULL: not published
    published_on BIGINT NOT NULL,
    applied_on BIGINT NOT NULL,
    registered_on BIGINT NOT NULL
);
CREATE INDEX projects_by_owner ON projects (owner_index, project_id);
CREATE TABLE project_steps (
    step_id BIGINT PRIMARY KEY CHECK (step_id > 0),
    project_id BIGINT NOT NULL REFERENCES projects,
    step TEXT NOT NULL,                 -- 'publish', 'register', ...: domain/ccer/projects.py
    business_date BIGINT NOT NULL,
    due_on BIGINT NOT NULL,             -- last day of the term that this begins or ends
    is_late BIGINT NOT NULL CHECK (is_late IN (0, 1)),
    document TEXT NOT NULL,             -- SHA-256 of what it rests on, or an order's number
    by_persons TEXT NOT NULL,
    why TEXT NOT NULL
);
CREATE INDEX project_steps_of ON project_steps (project_id, step_id);
CREATE TABLE batches (                  -- of one accounting period of a project
    batch_id BIGINT PRIMARY KEY CHECK (batch_id > 0),
    project_id BIGINT NOT NULL REFERENCES projects,
    batch_number BIGINT NOT NULL CHECK (batch_number > 0),  -- within its project
    produced_from BIGINT NOT NULL,
    produced_to BIGINT NOT NULL CHECK (produced_to >= produced_from),
    state TEXT NOT NULL CHECK (state IN (
        'published', 'verifying', 'verified', 'applied', 'issued', 'refused', 'recalled'
    )),
    verifier_index BIGINT NOT NULL REFERENCES accounts,
    published_on BIGINT NOT NULL CHECK (published_on > produced_to),
    applied_on BIGINT NOT NULL,
    UNIQUE (project_id, batch_number)
);
CREATE TABLE batch_tonnes (             -- as they were reported, and as they were verified
    batch_id BIGINT NOT NULL REFERENCES batches,
    stage TEXT NOT NULL CHECK (stage IN ('reported', 'verified')),
    generation_year BIGINT NOT NULL,
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),
    PRIMARY KEY (batch_id, stage, generation_year)
) WITHOUT ROWID;
CREATE TABLE batch_steps (
    step_id BIGINT PRIMARY KEY CHECK (step_id > 0),
    batch_id BIGINT NOT NULL REFERENCES batches,
    step TEXT NOT NULL,                 -- 'publish', 'issue', ...: domain/ccer/batches.py
    business_date BIGINT NOT NULL,
    due_on BIGINT NOT NULL,
    is_late BIGINT NOT NULL CHECK (is_late IN (0, 1)),
    document TEXT NOT NULL,
    by_persons TEXT NOT NULL,
    why TEXT NOT NULL
);
CREATE INDEX batch_steps_of ON batch_steps (batch_id, step_id);
CREATE TABLE issues (                   -- batches in the order of their issue
    issue_number BIGINT PRIMARY KEY CHECK (issue_number > 0),
    batch_id BIGINT NOT NULL UNIQUE REFERENCES batches,
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),
    registered_on BIGINT NOT NULL
);
