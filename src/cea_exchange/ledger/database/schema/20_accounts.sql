-- Who acts at the registry, and what became of accounts.
CREATE TABLE persons (
    public_key TEXT PRIMARY KEY,
    person TEXT NOT NULL,               -- name; of another key of the same body it is the same person
    role TEXT NOT NULL CHECK (
        role IN ('operator', 'authority', 'province', 'initiator', 'approver', 'regulator')
    ),
    body TEXT NOT NULL,                 -- for whom: 'registry', 'authority', 'province 11',
                                        -- 'account P001', 'regulator'
    added_at_ns BIGINT NOT NULL,
    removed_at_ns BIGINT NOT NULL       -- 0: acts still; a removed key never acts again
) WITHOUT ROWID;
CREATE INDEX persons_by_body ON persons (body, person, public_key);
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
