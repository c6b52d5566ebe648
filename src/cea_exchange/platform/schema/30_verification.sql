-- Who verifies whose report, what was found, what is held to be true, and what was objected.
CREATE TABLE service_firms (
    firm_id BIGINT PRIMARY KEY CHECK (firm_id > 0),
    firm TEXT NOT NULL UNIQUE,
    credit_code TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    barred_from BIGINT NOT NULL                   -- yyyymmdd; 0: it may work
);
CREATE TABLE engagements (                        -- whom an enterprise had do what for a year
    engagement_id BIGINT PRIMARY KEY CHECK (engagement_id > 0),
    firm_id BIGINT NOT NULL REFERENCES service_firms,
    enterprise_id BIGINT NOT NULL REFERENCES enterprises,
    compliance_year BIGINT NOT NULL,
    service TEXT NOT NULL CHECK (service IN ('report', 'advice', 'laboratory')),
    declared_on BIGINT NOT NULL
);
CREATE TABLE engagement_withdrawals (             -- of what was declared, and was no such service
    engagement_id BIGINT PRIMARY KEY REFERENCES engagements,
    document TEXT NOT NULL,
    withdrawn_on BIGINT NOT NULL
);
CREATE VIEW standing_engagements AS
    SELECT engagement_id, firm_id, enterprise_id, compliance_year, service, declared_on
    FROM engagements
    WHERE engagement_id NOT IN (SELECT engagement_id FROM engagement_withdrawals);
CREATE INDEX engagements_of ON engagements (firm_id, compliance_year);
CREATE TABLE firm_ties (                          -- what keeps a firm from verifying
    tie_id BIGINT PRIMARY KEY CHECK (tie_id > 0),
    firm_id BIGINT NOT NULL REFERENCES service_firms,
    enterprise_id BIGINT NOT NULL,                -- 0: it trades allowances, whoever's
    kind TEXT NOT NULL CHECK (kind IN ('interest', 'manager', 'trade')),
    until BIGINT NOT NULL,                        -- when a manager of both last was; 0 still is
    document TEXT NOT NULL,
    noted_on BIGINT NOT NULL
);
CREATE INDEX firm_ties_of ON firm_ties (firm_id);
CREATE TABLE firm_tie_ends (                      -- of what was noted by mistake, or is no more
    tie_id BIGINT PRIMARY KEY REFERENCES firm_ties,
    document TEXT NOT NULL,
    ended_on BIGINT NOT NULL
);
CREATE VIEW standing_ties AS
    SELECT tie_id, firm_id, enterprise_id, kind, until
    FROM firm_ties
    WHERE tie_id NOT IN (SELECT tie_id FROM firm_tie_ends);
CREATE TABLE verifications (                      -- tasks that a province gives
    verification_id BIGINT PRIMARY KEY CHECK (verification_id > 0),
    enterprise_id BIGINT NOT NULL REFERENCES enterprises,
    compliance_year BIGINT NOT NULL,
    firm_id BIGINT NOT NULL REFERENCES service_firms,
    report_id BIGINT NOT NULL REFERENCES filings, -- the version of the report that is verified
    given_on BIGINT NOT NULL,
    due_on BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'concluded', 'confirmed', 'withdrawn'))
);
CREATE INDEX verifications_of ON verifications (enterprise_id, compliance_year);
CREATE INDEX verifications_by ON verifications (firm_id, state);
CREATE TABLE findings (                           -- what does not conform
    finding_id BIGINT PRIMARY KEY CHECK (finding_id > 0),
    verification_id BIGINT NOT NULL REFERENCES verifications,
    unit_id BIGINT NOT NULL,                      -- 0: the whole enterprise's
    period BIGINT NOT NULL,                       -- yyyymm, or the year
    parameter TEXT NOT NULL,                      -- '' is none in particular
    rule TEXT NOT NULL,
    document TEXT NOT NULL,                       -- SHA-256 of the evidence; '' is none
    words TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'fixed', 'not_fixed')),
    found_by TEXT NOT NULL,
    found_on BIGINT NOT NULL,
    closed_on BIGINT NOT NULL                     -- 0 before
);
CREATE INDEX findings_of ON findings (verification_id, finding_id);
CREATE TABLE conclusions (
    conclusion_id BIGINT PRIMARY KEY CHECK (conclusion_id > 0),
    verification_id BIGINT NOT NULL REFERENCES verifications,
    report_number TEXT NOT NULL UNIQUE,           -- province-firm-entity-year-version
    unit_emissions TEXT NOT NULL,                 -- unit -> tonnes of CO2, as JSON
    unit_figures TEXT NOT NULL,                   -- unit -> parameter -> what it is of the year
    tonnes BIGINT NOT NULL CHECK (tonnes >= 0),   -- of the entity, whole
    concluded_by TEXT NOT NULL,
    concluded_on BIGINT NOT NULL
);
CREATE INDEX conclusions_of ON conclusions (verification_id, conclusion_id);
CREATE TABLE verified_results (                   -- what counts: the last version of a year
    result_id BIGINT PRIMARY KEY CHECK (result_id > 0),
    enterprise_id BIGINT NOT NULL REFERENCES enterprises,
    compliance_year BIGINT NOT NULL,
    version BIGINT NOT NULL CHECK (version > 0),
    tonnes BIGINT NOT NULL CHECK (tonnes >= 0),
    mark TEXT NOT NULL,                           -- of the report: 'draft', 'second_hand', ...
    unit_emissions TEXT NOT NULL,
    unit_figures TEXT NOT NULL,                   -- as concluded; of the others the months' sums
    conclusion_id BIGINT NOT NULL REFERENCES conclusions,
    reason TEXT NOT NULL,                         -- why there is another version; '' of the first
    confirmed_by TEXT NOT NULL,
    notified_on BIGINT NOT NULL,
    UNIQUE (enterprise_id, compliance_year, version)
);
CREATE TABLE objections (
    objection_id BIGINT PRIMARY KEY CHECK (objection_id > 0),
    enterprise_id BIGINT NOT NULL REFERENCES enterprises,
    compliance_year BIGINT NOT NULL,
    against TEXT NOT NULL CHECK (against IN ('verification', 'allocation')),
    subject_id BIGINT NOT NULL,                   -- the verified result, or the allocation
    words TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_on BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'upheld', 'dismissed')),
    answer TEXT NOT NULL,                         -- '' before
    decided_by TEXT NOT NULL,
    decided_on BIGINT NOT NULL                    -- 0 before
);
CREATE INDEX objections_of ON objections (enterprise_id, compliance_year);
CREATE INDEX objections_open ON objections (enterprise_id, compliance_year)
    WHERE state = 'open';
CREATE TABLE verifier_scores (
    score_id BIGINT PRIMARY KEY CHECK (score_id > 0),
    firm_id BIGINT NOT NULL REFERENCES service_firms,
    score_year BIGINT NOT NULL,
    province BIGINT NOT NULL,
    quality BIGINT NOT NULL CHECK (quality BETWEEN 0 AND 100),
    compliance BIGINT NOT NULL CHECK (compliance BETWEEN 0 AND 100),
    timeliness BIGINT NOT NULL CHECK (timeliness BETWEEN 0 AND 100),
    remarks TEXT NOT NULL,
    scored_on BIGINT NOT NULL,
    UNIQUE (firm_id, score_year, province)
);
CREATE TABLE inspections (                        -- on site, by an authority
    inspection_id BIGINT PRIMARY KEY CHECK (inspection_id > 0),
    enterprise_id BIGINT NOT NULL REFERENCES enterprises,
    day BIGINT NOT NULL,
    officers TEXT NOT NULL,                       -- name and card of each, as JSON
    looked_at TEXT NOT NULL,
    found TEXT NOT NULL,
    document TEXT NOT NULL,
    noted_by TEXT NOT NULL
);
CREATE INDEX inspections_of ON inspections (enterprise_id, inspection_id);
CREATE TABLE irregularities (                     -- that verifiers reported to provinces
    irregularity_id BIGINT PRIMARY KEY CHECK (irregularity_id > 0),
    verification_id BIGINT NOT NULL REFERENCES verifications,
    kind TEXT NOT NULL CHECK (kind IN
        ('unapproved_unit', 'unapproved_uprating', 'faulty_sampling')),
    unit_id BIGINT NOT NULL,                      -- 0: the whole enterprise's
    words TEXT NOT NULL,
    document TEXT NOT NULL,                       -- SHA-256 of the evidence; '' is none
    reported_by TEXT NOT NULL,
    reported_on BIGINT NOT NULL
);
CREATE INDEX irregularities_of ON irregularities (verification_id);
CREATE TABLE person_bans (                        -- persons of firms who may not verify
    decision_id BIGINT NOT NULL,                  -- by which decision of a case
    name TEXT NOT NULL,
    firm_id BIGINT NOT NULL,                      -- for which they acted; 0: for none
    banned_from BIGINT NOT NULL,
    banned_until BIGINT NOT NULL,                 -- 0: for life
    lifted_on BIGINT NOT NULL,                    -- as the decision was revoked; 0: it was not
    PRIMARY KEY (decision_id, name)
);
