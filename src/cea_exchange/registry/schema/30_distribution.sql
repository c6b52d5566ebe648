-- What was determined for entities, what of it was given, and what provinces hold for whom. Every
-- table but `recalls_open` is only added to; what holds now is a sum or the last row.
CREATE TABLE issue_reversals (          -- of issues to the authority that were a mistake
    issue_entry BIGINT PRIMARY KEY REFERENCES entries, -- each once
    entry_id BIGINT NOT NULL UNIQUE REFERENCES entries, -- of the reversal
    why TEXT NOT NULL
);
CREATE TABLE allocation_previews (
    preview_id BIGINT PRIMARY KEY CHECK (preview_id > 0),
    file TEXT NOT NULL,                 -- its name
    sha256 TEXT NOT NULL,               -- of its bytes
    encoding TEXT NOT NULL,             -- of a CSV file
    content BYTEA NOT NULL,             -- its bytes, from which all is computed again
    plan BYTEA NOT NULL,                -- what was shown: registry/distribution/plan.py
    business_date BIGINT NOT NULL
);
CREATE TABLE allocation_units (
    preview_id BIGINT PRIMARY KEY REFERENCES allocation_previews,  -- its tonnes are computed from it
    file TEXT NOT NULL,                 -- the unit file's name
    sha256 TEXT NOT NULL,
    encoding TEXT NOT NULL,
    content BYTEA NOT NULL
);
CREATE TABLE distributions (
    distribution_id BIGINT PRIMARY KEY REFERENCES allocation_previews, -- the preview's
    sha256 TEXT NOT NULL UNIQUE,        -- no file is distributed twice
    compliance_year BIGINT NOT NULL,
    product_index BIGINT NOT NULL REFERENCES products,
    stage TEXT NOT NULL CHECK (stage IN ('pre', 'final', 'adjustment')),
    business_date BIGINT NOT NULL
);
CREATE TABLE distribution_lines (
    distribution_id BIGINT NOT NULL REFERENCES distributions,
    account_index BIGINT NOT NULL REFERENCES accounts,
    province BIGINT NOT NULL,           -- the entity's then
    tonnes BIGINT NOT NULL CHECK (tonnes >= 0),             -- determined for the whole year
    given BIGINT NOT NULL CHECK (given >= 0),               -- to the entity
    kept BIGINT NOT NULL CHECK (kept >= 0),                 -- with the province, for it
    recalled BIGINT NOT NULL CHECK (recalled >= 0),         -- from the entity
    recalled_kept BIGINT NOT NULL CHECK (recalled_kept >= 0),   -- from what the province kept
    unrecalled BIGINT NOT NULL CHECK (unrecalled >= 0),     -- still to adjust, a deduction of its own
    PRIMARY KEY (distribution_id, account_index)
) WITHOUT ROWID;
CREATE TABLE deductions (
    deduction_id BIGINT PRIMARY KEY CHECK (deduction_id > 0),   -- they are taken in this order
    account_index BIGINT NOT NULL REFERENCES accounts,
    document TEXT NOT NULL,             -- of the decision; 'distribution 7' of what it did not find
    cause TEXT NOT NULL CHECK (cause IN ('unpaid', 'borrowed', 'enforcement', 'other', 'recall')),
    compliance_year BIGINT NOT NULL,    -- of the allowances to recall; 0 is none
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),
    decided_on BIGINT NOT NULL,         -- yyyymmdd
    business_date BIGINT NOT NULL,      -- when it was registered
    UNIQUE (account_index, document)
);
CREATE TABLE deductions_taken (
    deduction_id BIGINT NOT NULL REFERENCES deductions,
    reference TEXT NOT NULL,            -- 'distribution 7', or 'recall 3'
    distribution_id BIGINT NOT NULL,    -- 0 is a recall
    tonnes BIGINT NOT NULL CHECK (tonnes <> 0), -- negative: gone back to what is still to adjust
    PRIMARY KEY (deduction_id, reference)
) WITHOUT ROWID;
CREATE TABLE deductions_withdrawn (     -- registered by mistake, as far as they were not taken
    withdrawal_id BIGINT PRIMARY KEY CHECK (withdrawal_id > 0),
    deduction_id BIGINT NOT NULL REFERENCES deductions,
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),
    why TEXT NOT NULL,
    business_date BIGINT NOT NULL
);
CREATE INDEX deductions_withdrawn_of ON deductions_withdrawn (deduction_id);
CREATE TABLE recalls_open (             -- recalls not filled: all that is looked at with an entry
    deduction_id BIGINT PRIMARY KEY REFERENCES deductions
);
CREATE TABLE recalls (
    recall_id BIGINT PRIMARY KEY CHECK (recall_id > 0),
    account_index BIGINT NOT NULL REFERENCES accounts,
    province BIGINT NOT NULL,
    compliance_year BIGINT NOT NULL,
    product_index BIGINT NOT NULL REFERENCES products,
    recalled BIGINT NOT NULL CHECK (recalled >= 0),         -- from the entity
    recalled_kept BIGINT NOT NULL CHECK (recalled_kept >= 0),   -- from what the province kept
    business_date BIGINT NOT NULL
);
CREATE TABLE kept_changes (
    change_id BIGINT PRIMARY KEY CHECK (change_id > 0),
    province BIGINT NOT NULL,           -- holds it
    account_index BIGINT NOT NULL REFERENCES accounts, -- for whom
    product_index BIGINT NOT NULL REFERENCES products,
    tonnes BIGINT NOT NULL CHECK (tonnes <> 0),
    reference TEXT NOT NULL,            -- 'distribution 7', 'recall 3', 'release 12', 'surrender 4'
    business_date BIGINT NOT NULL
);
CREATE INDEX kept_changes_by_account ON kept_changes (account_index, product_index);
