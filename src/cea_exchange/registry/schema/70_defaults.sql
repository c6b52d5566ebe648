-- Who did not deliver or pay when it was due, and what was done about it.
CREATE TABLE defaults (
    default_id BIGINT PRIMARY KEY CHECK (default_id > 0),
    trade_seq BIGINT NOT NULL UNIQUE REFERENCES trades, -- settlement_seq of the trade
    account_index BIGINT NOT NULL REFERENCES accounts, -- who has to make it good
    asset_index BIGINT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),    -- tonnes or fen that his leg needs
    why TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN
        ('open', 'noticed', 'covering', 'covered', 'recovered', 'cured', 'busted')),
    opened_date BIGINT NOT NULL,                  -- yyyymmdd
    deadline BIGINT NOT NULL,                     -- last day to top up; 0 before the notice
    reserve_cash BIGINT NOT NULL CHECK (reserve_cash >= 0), -- fen the risk reserve paid
    recovered_cash BIGINT NOT NULL CHECK (recovered_cash BETWEEN 0 AND reserve_cash)
);
CREATE INDEX defaults_owed ON defaults (account_index) WHERE state = 'covered';
CREATE INDEX defaults_standing ON defaults (default_id)
    WHERE state NOT IN ('cured', 'busted', 'recovered');
CREATE TABLE default_acts (                       -- every act, in its order
    act_id BIGINT PRIMARY KEY CHECK (act_id > 0),
    default_id BIGINT NOT NULL REFERENCES defaults,
    business_date BIGINT NOT NULL,
    act TEXT NOT NULL CHECK (act IN
        ('opened', 'noticed', 'covering', 'uncovered', 'covered', 'recovered', 'cured', 'busted')),
    amount BIGINT NOT NULL,                       -- fen paid or got back; 0 is none
    entry_id BIGINT NOT NULL,                     -- of the ledger; 0 where nothing was posted
    note TEXT NOT NULL                            -- the reason, the deadline
);
CREATE INDEX default_acts_of ON default_acts (default_id, act_id);
