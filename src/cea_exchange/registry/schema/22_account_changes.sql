-- What became of accounts.
CREATE TABLE account_changes (
    change_id BIGINT PRIMARY KEY CHECK (change_id > 0),
    account_index BIGINT NOT NULL REFERENCES accounts,
    at_ns BIGINT NOT NULL,
    business_date BIGINT NOT NULL,
    change TEXT NOT NULL,               -- 'opened', 'suspended', 'renamed', ...
    was TEXT NOT NULL,                  -- what changed: before, and after
    became TEXT NOT NULL,
    by_persons TEXT NOT NULL,           -- 'an', or 'an and bo'; '' is the process itself
    why TEXT NOT NULL
);
CREATE INDEX account_changes_by_account ON account_changes (account_index, change_id);
CREATE INDEX account_changes_merged ON account_changes (account_index) WHERE change = 'merged';
