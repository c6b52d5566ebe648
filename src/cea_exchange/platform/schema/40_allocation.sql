-- What provinces compute and give, within what the authority sets.
CREATE TABLE balance_values (                     -- the last one counts
    balance_id BIGINT PRIMARY KEY CHECK (balance_id > 0),
    compliance_year BIGINT NOT NULL,
    sector TEXT NOT NULL,
    numerator TEXT NOT NULL,                      -- whole numbers of any length: an exact fraction
    denominator TEXT NOT NULL,
    set_by TEXT NOT NULL,
    set_on BIGINT NOT NULL
);
CREATE INDEX balance_values_of ON balance_values (compliance_year, sector, balance_id);
CREATE TABLE cap_factors (                        -- of a plan with an absolute cap; the last counts
    factor_id BIGINT PRIMARY KEY CHECK (factor_id > 0),
    compliance_year BIGINT NOT NULL,
    numerator TEXT NOT NULL,
    denominator TEXT NOT NULL,
    set_by TEXT NOT NULL,
    set_on BIGINT NOT NULL
);
CREATE INDEX cap_factors_of ON cap_factors (compliance_year, factor_id);
CREATE TABLE allocation_totals (                  -- the last one counts
    total_id BIGINT PRIMARY KEY CHECK (total_id > 0),
    compliance_year BIGINT NOT NULL,
    stage TEXT NOT NULL CHECK (stage IN ('pre', 'final', 'adjustment')),
    tonnes BIGINT NOT NULL CHECK (tonnes >= 0),   -- at most, of all provinces together
    set_by TEXT NOT NULL,
    set_on BIGINT NOT NULL
);
CREATE INDEX allocation_totals_of ON allocation_totals (compliance_year, stage, total_id);
CREATE TABLE allocations (                        -- of one province, year and stage
    allocation_id BIGINT PRIMARY KEY CHECK (allocation_id > 0),
    province BIGINT NOT NULL,
    compliance_year BIGINT NOT NULL,
    stage TEXT NOT NULL CHECK (stage IN ('pre', 'final', 'adjustment')),
    state TEXT NOT NULL CHECK (state IN
        ('computed', 'approved', 'distributed', 'withdrawn', 'recalled')),
    share_bp BIGINT CHECK (share_bp BETWEEN 0 AND 10000), -- ahead, of what was emitted; NULL: the
                                                  -- plan's own
    plan_mark TEXT NOT NULL,                      -- 'draft second_hand': why it is no settled law;
                                                  -- '' is settled law
    tonnes BIGINT NOT NULL,                       -- of all its lines
    sha256 TEXT NOT NULL,                         -- of its lines
    computed_by TEXT NOT NULL,
    computed_key TEXT NOT NULL,
    computed_on BIGINT NOT NULL,
    approved_by TEXT NOT NULL,                    -- '' before
    distributed_on BIGINT NOT NULL                -- 0 before
);
CREATE INDEX allocations_of ON allocations (compliance_year, stage, province);
CREATE TABLE allocation_recalls (
    allocation_id BIGINT PRIMARY KEY REFERENCES allocations,
    reason TEXT NOT NULL,
    recalled_by TEXT NOT NULL,
    recalled_on BIGINT NOT NULL
);
CREATE TABLE allocation_lines (
    line_id BIGINT PRIMARY KEY CHECK (line_id > 0),
    allocation_id BIGINT NOT NULL REFERENCES allocations,
    enterprise_id BIGINT NOT NULL REFERENCES enterprises,
    result_id BIGINT NOT NULL REFERENCES verified_results, -- the verified result it rests on
    emissions BIGINT NOT NULL CHECK (emissions >= 0),
    tonnes BIGINT NOT NULL CHECK (tonnes >= 0),   -- what the entity is to have of the year
    duty BIGINT NOT NULL CHECK (duty >= 0),       -- what it owes
    mark TEXT NOT NULL,                           -- as plan_mark, of this line
    units TEXT NOT NULL,                          -- their figures, by which anybody computes it
                                                  -- again, as JSON
    UNIQUE (allocation_id, enterprise_id)
);
CREATE TABLE allocation_left_out (               -- listed entities that have no line in it
    left_out_id BIGINT PRIMARY KEY CHECK (left_out_id > 0),
    allocation_id BIGINT NOT NULL REFERENCES allocations,
    enterprise_id BIGINT NOT NULL REFERENCES enterprises,
    words TEXT NOT NULL,                          -- what its figures lack that the plan asks for
    UNIQUE (allocation_id, enterprise_id)
);
