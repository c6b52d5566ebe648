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
    account_index BIGINT NOT NULL REFERENCES accounts,
    file_id BIGINT NOT NULL REFERENCES obligation_files,
    verified_tonnes BIGINT NOT NULL CHECK (verified_tonnes >= 0),
    due_tonnes BIGINT NOT NULL          -- of its own units; 0: it owes in others' place alone
        CHECK (due_tonnes BETWEEN 0 AND verified_tonnes),
    succeeded_tonnes BIGINT NOT NULL,   -- that whom it succeeded owed; below 0: its successors owe
    PRIMARY KEY (compliance_year, account_index, file_id),
    CHECK (due_tonnes + succeeded_tonnes >= 0 AND (due_tonnes > 0 OR succeeded_tonnes <> 0
        OR verified_tonnes = 0))
) WITHOUT ROWID;
CREATE VIEW obligations AS              -- the last of each counts, with what was succeeded to
SELECT compliance_year, account_index, file_id, verified_tonnes,
    due_tonnes + succeeded_tonnes AS due_tonnes, succeeded_tonnes
FROM obligation_entries AS entry
WHERE file_id = (SELECT max(other.file_id) FROM obligation_entries AS other
    WHERE other.compliance_year = entry.compliance_year
    AND other.account_index = entry.account_index);
CREATE TABLE surrenders (
    surrender_id BIGINT PRIMARY KEY,
    compliance_year BIGINT NOT NULL,
    account_index BIGINT NOT NULL REFERENCES accounts, -- who owes
    giver_index BIGINT NOT NULL REFERENCES accounts, -- whose allowances: the same, another's, its
                                        -- province's
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
    surrender_id BIGINT NOT NULL REFERENCES surrenders,
    asset_index BIGINT NOT NULL REFERENCES products,
    vintage BIGINT NOT NULL,
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),
    PRIMARY KEY (surrender_id, asset_index)
) WITHOUT ROWID;
CREATE TABLE offset_proofs (            -- of CCERs cancelled in their own registry
    proof TEXT PRIMARY KEY,
    compliance_year BIGINT NOT NULL,
    account_index BIGINT NOT NULL REFERENCES accounts,
    project TEXT NOT NULL,
    serial_first BIGINT NOT NULL,
    serial_last BIGINT NOT NULL CHECK (serial_last >= serial_first),
    tonnes BIGINT NOT NULL CHECK (tonnes = serial_last - serial_first + 1),
    registered_on BIGINT NOT NULL,
    cancelled_on BIGINT NOT NULL CHECK (cancelled_on >= registered_on),
    quota_managed TEXT NOT NULL             -- under whose allowances the project is
        CHECK (quota_managed IN ('no', 'regional', 'national')),
    project_started_on BIGINT NOT NULL,
    applied_on BIGINT NOT NULL,         -- for the registration of the reductions
    produced_from BIGINT NOT NULL,      -- first day of the reductions
    produced_to BIGINT NOT NULL,        -- last day of them
    counted_from BIGINT NOT NULL        -- when its entity had done its part; not known: booked_on
        CHECK (counted_from <= booked_on),
    booked_on BIGINT NOT NULL,
    revoked_on BIGINT NOT NULL,         -- found false; it never counts again
    revoked_why TEXT NOT NULL,
    CHECK (project_started_on <= produced_from AND produced_from <= produced_to
        AND produced_to <= applied_on AND applied_on <= registered_on)
) WITHOUT ROWID;
CREATE INDEX offset_proofs_of ON offset_proofs (compliance_year, account_index);
CREATE INDEX offset_proofs_serials ON offset_proofs (project, serial_first);
CREATE TABLE certificates (
    certificate_id BIGINT PRIMARY KEY,
    compliance_year BIGINT NOT NULL,
    account_index BIGINT NOT NULL REFERENCES accounts,
    issued_on BIGINT NOT NULL,
    content TEXT NOT NULL,              -- JSON
    revoked_on BIGINT NOT NULL,
    revoked_why TEXT NOT NULL
);
CREATE UNIQUE INDEX certificates_in_force ON certificates (compliance_year, account_index)
    WHERE revoked_on = 0;
CREATE TABLE borrowings (               -- of a later allocation, surrendered ahead (预支)
    borrowing_id BIGINT PRIMARY KEY CHECK (borrowing_id > 0),
    compliance_year BIGINT NOT NULL,    -- borrowed for
    account_index BIGINT NOT NULL REFERENCES accounts, -- who owes
    province BIGINT NOT NULL,           -- that let it
    product_index BIGINT NOT NULL REFERENCES products,
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),
    document TEXT NOT NULL,             -- the decision, and of the deduction
    why TEXT NOT NULL,                  -- the hardship
    surrender_id BIGINT NOT NULL UNIQUE REFERENCES surrenders,
    deduction_id BIGINT NOT NULL UNIQUE REFERENCES deductions,
    business_date BIGINT NOT NULL
);
CREATE TABLE correction_orders (        -- to surrender what was missing at the deadline (责令改正)
    order_id BIGINT PRIMARY KEY CHECK (order_id > 0),
    compliance_year BIGINT NOT NULL,
    account_index BIGINT NOT NULL REFERENCES accounts,
    document TEXT NOT NULL,             -- its number
    province BIGINT NOT NULL,           -- whose it is
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),  -- missing on that day
    ordered_on BIGINT NOT NULL,
    until_date BIGINT NOT NULL CHECK (until_date > ordered_on), -- the last day of its term
    UNIQUE (compliance_year, account_index)
);
CREATE TABLE correction_refusals (      -- the entity refuses to follow it (拒不改正)
    order_id BIGINT PRIMARY KEY REFERENCES correction_orders,
    document TEXT NOT NULL,             -- what shows it
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),  -- missing on that day
    recorded_on BIGINT NOT NULL
);
CREATE TABLE unpaid_deductions (        -- decided: to be taken off the next allowances
    decision_id BIGINT PRIMARY KEY,
    compliance_year BIGINT NOT NULL,    -- of what was not paid
    account_index BIGINT NOT NULL REFERENCES accounts,
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),
    decided_on BIGINT NOT NULL,
    UNIQUE (compliance_year, account_index)
);
