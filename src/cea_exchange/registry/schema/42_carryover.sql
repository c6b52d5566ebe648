-- Closed vintages exchanged for the next one. Days are yyyymmdd, 0 is none.
CREATE TABLE carryover_notices (
    account_index BIGINT PRIMARY KEY REFERENCES accounts,
    net_sales BIGINT NOT NULL CHECK (net_sales >= 0),
    trading_tonnes BIGINT NOT NULL,     -- the position at the end of the window
    registration_tonnes BIGINT NOT NULL,
    frozen_tonnes BIGINT NOT NULL,
    limit_tonnes BIGINT NOT NULL CHECK (limit_tonnes >= 0),
    refusal TEXT NOT NULL,              -- why it may carry nothing over; '' if it may
    noticed_on BIGINT NOT NULL
);
CREATE TABLE carryovers (
    carryover_id BIGINT PRIMARY KEY,
    account_index BIGINT NOT NULL REFERENCES accounts,
    run_number BIGINT NOT NULL,         -- the exchange it goes into
    applied_on BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('applied', 'withdrawn', 'exchanged')),
    decided_on BIGINT NOT NULL
);
CREATE INDEX carryovers_of ON carryovers (account_index);
CREATE TABLE carryover_lines (
    carryover_id BIGINT NOT NULL REFERENCES carryovers,
    asset_index BIGINT NOT NULL REFERENCES products,
    vintage BIGINT NOT NULL,
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),
    PRIMARY KEY (carryover_id, asset_index)
) WITHOUT ROWID;
