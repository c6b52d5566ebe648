-- What courts and the supervisor have ordered.
CREATE TABLE freezes (                  -- by a court
    freeze_id BIGINT PRIMARY KEY CHECK (freeze_id > 0),     -- earlier ones come first
    account_index BIGINT NOT NULL REFERENCES accounts CHECK (account_index >= 0),
    asset_index BIGINT NOT NULL REFERENCES products,
    ordered BIGINT NOT NULL CHECK (ordered > 0),
    in_force BIGINT NOT NULL CHECK (in_force >= 0),
    released BIGINT NOT NULL CHECK (released >= 0),
    deducted BIGINT NOT NULL CHECK (deducted >= 0),
    order_number TEXT NOT NULL,
    court TEXT NOT NULL,
    from_date BIGINT NOT NULL,
    CHECK (in_force + released + deducted <= ordered)
);
CREATE INDEX freezes_asked ON freezes (account_index, asset_index)
    WHERE in_force + released + deducted < ordered;
CREATE TABLE freeze_acts (
    freeze_act_id BIGINT PRIMARY KEY CHECK (freeze_act_id > 0),
    freeze_id BIGINT NOT NULL REFERENCES freezes,
    act TEXT NOT NULL CHECK (act IN ('freeze', 'release', 'deduct')),
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),
    counter_index BIGINT REFERENCES accounts, -- to whom it was deducted
    order_number TEXT NOT NULL,
    court TEXT NOT NULL,
    business_date BIGINT NOT NULL
);
CREATE TABLE restitutions (             -- CCERs issued on false papers: the owner returns as many
    restitution_id BIGINT PRIMARY KEY CHECK (restitution_id > 0),
    project_id BIGINT NOT NULL REFERENCES projects,
    owner_index BIGINT NOT NULL REFERENCES accounts,
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),
    cancelled BIGINT NOT NULL CHECK (cancelled BETWEEN 0 AND tonnes),
    document TEXT NOT NULL,             -- the ministry's order
    ordered_on BIGINT NOT NULL
);
CREATE TABLE reversals (                -- of proofs, by order
    proof TEXT PRIMARY KEY REFERENCES proofs,
    document TEXT NOT NULL,
    was_used BIGINT NOT NULL CHECK (was_used IN (0, 1)),
    business_date BIGINT NOT NULL
);
