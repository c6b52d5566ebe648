-- Who owes how many allowances for which year's emissions, and what covers it. An account and a
-- compliance year name an obligation. Days are yyyymmdd, 0 is none.
CREATE TABLE obligation_files (
    file_id BIGINT PRIMARY KEY,
    file TEXT NOT NULL,                 -- its name
    sha256 TEXT NOT NULL,
    compliance_year BIGINT NOT NULL,
    why TEXT NOT NULL,                  -- of a correction; '' of a first file
    taken_on BIGINT NOT NULL
);
CREATE TABLE obligation_entries (       -- each as it was handed in, the corrected ones too
    compliance_year BIGINT NOT NULL,
    account_index BIGINT NOT NULL,
    file_id BIGINT NOT NULL,
    verified_tonnes BIGINT NOT NULL CHECK (verified_tonnes > 0),
    due_tonnes BIGINT NOT NULL CHECK (due_tonnes BETWEEN 1 AND verified_tonnes),
    PRIMARY KEY (compliance_year, account_index, file_id)
) WITHOUT ROWID;
CREATE VIEW obligations AS              -- the last of each counts
SELECT compliance_year, account_index, file_id, verified_tonnes, due_tonnes
FROM obligation_entries AS entry
WHERE file_id = (SELECT max(other.file_id) FROM obligation_entries AS other
    WHERE other.compliance_year = entry.compliance_year
    AND other.account_index = entry.account_index);
CREATE TABLE surrenders (
    surrender_id BIGINT PRIMARY KEY,
    compliance_year BIGINT NOT NULL,
    account_index BIGINT NOT NULL,      -- who owes
    giver_index BIGINT NOT NULL,        -- whose allowances: the same, another's, or its province's
    why TEXT NOT NULL,                  -- of giving for another; else ''
    applied_on BIGINT NOT NULL,         -- the day it counts of
    state TEXT NOT NULL CHECK (state IN ('applied', 'withdrawn', 'rejected', 'accepted', 'retired')),
    province BIGINT NOT NULL,           -- that decided it; 0 is none
    decided_on BIGINT NOT NULL,
    rejection TEXT NOT NULL,            -- the province's reason; else ''
    retired_on BIGINT NOT NULL          -- the authority's day
);
CREATE INDEX surrenders_of ON surrenders (compliance_year, account_index);
CREATE INDEX surrenders_by_state ON surrenders (state, surrender_id);
CREATE TABLE surrender_lines (
    surrender_id BIGINT NOT NULL,
    asset_index BIGINT NOT NULL,
    vintage BIGINT NOT NULL,
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),
    PRIMARY KEY (surrender_id, asset_index)
) WITHOUT ROWID;
CREATE TABLE offset_proofs (            -- of CCERs cancelled in their own registry
    proof TEXT PRIMARY KEY,
    compliance_year BIGINT NOT NULL,
    account_index BIGINT NOT NULL,
    project TEXT NOT NULL,
    serial_first BIGINT NOT NULL,
    serial_last BIGINT NOT NULL CHECK (serial_last >= serial_first),
    tonnes BIGINT NOT NULL CHECK (tonnes = serial_last - serial_first + 1),
    registered_on BIGINT NOT NULL,
    cancelled_on BIGINT NOT NULL CHECK (cancelled_on >= registered_on),
    quota_managed BIGINT NOT NULL CHECK (quota_managed IN (0, 1)),
    project_started_on BIGINT NOT NULL,
    applied_on BIGINT NOT NULL,         -- for the registration of the reductions
    produced_from BIGINT NOT NULL,      -- first day of the reductions
    booked_on BIGINT NOT NULL,          -- the day it counts of
    revoked_on BIGINT NOT NULL,         -- found false; it never counts again
    revoked_why TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX offset_proofs_of ON offset_proofs (compliance_year, account_index);
CREATE INDEX offset_proofs_serials ON offset_proofs (project, serial_first);
CREATE TABLE certificates (
    certificate_id BIGINT PRIMARY KEY,
    compliance_year BIGINT NOT NULL,
    account_index BIGINT NOT NULL,
    issued_on BIGINT NOT NULL,
    content TEXT NOT NULL,              -- JSON
    revoked_on BIGINT NOT NULL,
    revoked_why TEXT NOT NULL
);
CREATE UNIQUE INDEX certificates_in_force ON certificates (compliance_year, account_index)
    WHERE revoked_on = 0;
CREATE TABLE unpaid_deductions (        -- decided: to be taken off the next allowances
    decision_id BIGINT PRIMARY KEY,
    compliance_year BIGINT NOT NULL,    -- of what was not paid
    account_index BIGINT NOT NULL,
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),
    decided_on BIGINT NOT NULL,
    UNIQUE (compliance_year, account_index)
);
