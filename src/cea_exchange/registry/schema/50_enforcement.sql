-- What courts have ordered, what leaves an account other than by trade, and what is published of it.
CREATE TABLE freezes (
    freeze_id BIGINT PRIMARY KEY CHECK (freeze_id > 0), -- earlier ones come first (轮候)
    account_index BIGINT NOT NULL REFERENCES accounts CHECK (account_index >= 0),
    asset_index BIGINT NOT NULL,
    is_whole BIGINT NOT NULL CHECK (is_whole IN (0, 1)), -- one of a freeze of all the account has
    ordered BIGINT CHECK (ordered > 0),           -- NULL: all there is and comes
    released BIGINT NOT NULL CHECK (released >= 0),     -- of what was ordered, by the court
    in_force BIGINT NOT NULL CHECK (in_force >= 0),     -- in the judicial compartment now
    deducted BIGINT NOT NULL CHECK (deducted >= 0),
    state TEXT NOT NULL
        CHECK (state IN ('asked', 'in_force', 'released', 'deducted', 'expired')),
    order_number TEXT NOT NULL,                   -- of the court's order
    court TEXT NOT NULL,
    from_date BIGINT NOT NULL,                    -- yyyymmdd
    until_date BIGINT NOT NULL                    -- the last day it is in force
);
CREATE INDEX freezes_asked ON freezes (account_index, asset_index) WHERE state = 'asked';
CREATE INDEX freezes_of ON freezes (account_index, freeze_id);
CREATE TABLE freeze_acts (                        -- every order and end, in their order
    act_id BIGINT PRIMARY KEY CHECK (act_id > 0),
    freeze_id BIGINT NOT NULL REFERENCES freezes,
    business_date BIGINT NOT NULL,
    act TEXT NOT NULL CHECK (act IN ('freeze', 'release', 'extend', 'deduct', 'expire')),
    order_number TEXT NOT NULL,                   -- '' where a freeze expired
    court TEXT NOT NULL,
    amount BIGINT NOT NULL,                       -- ordered, released or deducted; 0: all, or none
    until_date BIGINT NOT NULL,
    counter_index BIGINT REFERENCES accounts      -- to whom it was deducted
);
CREATE TABLE dispositions (                       -- tonnes that leave an account other than by trade
    disposition_id BIGINT PRIMARY KEY CHECK (disposition_id > 0),
    kind TEXT NOT NULL
        CHECK (kind IN ('cancellation', 'inheritance', 'succession', 'enforcement')),
    account_index BIGINT NOT NULL REFERENCES accounts CHECK (account_index >= 0),
    counter_index BIGINT REFERENCES accounts,     -- who gets them; NULL: nobody, they are cancelled
    asset_index BIGINT NOT NULL REFERENCES products,
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),
    document TEXT NOT NULL,                       -- what it rests on; of a cancellation its purpose
    state TEXT NOT NULL CHECK (state IN ('applied', 'done', 'refused')),
    why TEXT NOT NULL,                            -- it was refused
    certificate TEXT NOT NULL,                    -- of a cancellation that is done
    applied_date BIGINT NOT NULL,
    decided_date BIGINT NOT NULL                  -- 0 before
);
CREATE INDEX dispositions_by_state ON dispositions (state, disposition_id);
CREATE TABLE public_notices (                     -- what everybody may read
    notice_number BIGINT PRIMARY KEY CHECK (notice_number > 0),
    notice_date BIGINT NOT NULL,
    kind TEXT NOT NULL,                           -- 'deduction', or a disposition's
    content TEXT NOT NULL                         -- JSON
);
