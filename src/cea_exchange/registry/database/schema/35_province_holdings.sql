-- What provinces keep for entities at risk, out of their own registration accounts.
CREATE TABLE province_holdings (
    province BIGINT NOT NULL,           -- two-digit code
    account_index BIGINT NOT NULL,      -- the entity it is kept for
    asset_index BIGINT NOT NULL,
    tonnes BIGINT NOT NULL CHECK (tonnes > 0),
    PRIMARY KEY (account_index, asset_index)
) WITHOUT ROWID;
