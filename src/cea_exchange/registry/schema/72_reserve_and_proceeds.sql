-- The exchange's risk reserve: up to which amount it is filled, and what was put into it.
CREATE TABLE reserve_terms (
    terms_id BIGINT PRIMARY KEY CHECK (terms_id > 0),
    business_date BIGINT NOT NULL,                -- yyyymmdd, from when on
    capital BIGINT NOT NULL CHECK (capital > 0),  -- fen: the exchange's registered capital
    share_bp BIGINT NOT NULL CHECK (share_bp BETWEEN 0 AND 10000), -- of the fees
    fees_before BIGINT NOT NULL                   -- fen of fees, taken before: no share of these
);
CREATE TABLE reserve_contributions (
    entry_id BIGINT PRIMARY KEY REFERENCES entries,
    terms_id BIGINT NOT NULL REFERENCES reserve_terms,
    fees_from BIGINT NOT NULL,                    -- fen of fees ever taken, before these
    fees_until BIGINT NOT NULL CHECK (fees_until >= fees_from), -- and with them; equal of a top-up
    held_before BIGINT NOT NULL CHECK (held_before >= 0), -- fen in the reserve, and lent by it
    cash BIGINT NOT NULL CHECK (cash > 0)
);
-- Accounts by which the authority adjusts the market, and what their sales brought.
CREATE TABLE adjustment_accounts (
    account_index BIGINT PRIMARY KEY REFERENCES accounts,
    business_date BIGINT NOT NULL
);
CREATE TABLE proceeds (
    entry_id BIGINT PRIMARY KEY REFERENCES entries,
    account_index BIGINT NOT NULL REFERENCES adjustment_accounts,
    trading_date BIGINT NOT NULL,
    cash BIGINT NOT NULL CHECK (cash > 0)
);
CREATE INDEX proceeds_of ON proceeds (account_index, trading_date);
-- Which share of an obligation CCERs may cover, where the authority has set one for a year.
CREATE TABLE offset_shares (
    share_id BIGINT PRIMARY KEY CHECK (share_id > 0),
    compliance_year BIGINT NOT NULL,
    share_bp BIGINT NOT NULL CHECK (share_bp >= 0),
    business_date BIGINT NOT NULL,
    why TEXT NOT NULL
);
CREATE INDEX offset_shares_of ON offset_shares (compliance_year, share_id);
