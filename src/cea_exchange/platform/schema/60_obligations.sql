-- What entities owe for a year, as sent to the registry.
CREATE TABLE obligations (                        -- the last version counts
    obligation_id BIGINT PRIMARY KEY CHECK (obligation_id > 0),
    enterprise_id BIGINT NOT NULL REFERENCES enterprises,
    compliance_year BIGINT NOT NULL,
    version BIGINT NOT NULL CHECK (version > 0),
    verified_tonnes BIGINT NOT NULL CHECK (verified_tonnes >= 0),
    due_tonnes BIGINT NOT NULL CHECK (due_tonnes >= 0),
    succeeded_tonnes BIGINT NOT NULL,             -- of these, whom it succeeded owed; below 0: its
                                                  -- successors owe them
    due_on BIGINT NOT NULL,
    result_id BIGINT NOT NULL,                    -- the verified result it rests on; 0: it has none
    mark TEXT NOT NULL,                           -- why it is no settled law: 'second_hand'
    reason TEXT NOT NULL,                         -- why there is another version; '' of the first
    set_by TEXT NOT NULL,
    set_on BIGINT NOT NULL,
    UNIQUE (enterprise_id, compliance_year, version)
);
