-- Who acts.
CREATE TABLE persons (
    public_key TEXT PRIMARY KEY,
    person TEXT NOT NULL,               -- name; of another key of the same body it is the same person
    role TEXT NOT NULL CHECK (
        role IN ({roles})
    ),
    body TEXT NOT NULL,                 -- for whom: 'registry', 'authority', 'province 11',
                                        -- 'account P001', 'regulator'
    added_at_ns BIGINT NOT NULL,
    removed_at_ns BIGINT NOT NULL       -- 0: acts still; a removed key never acts again
) WITHOUT ROWID;
CREATE INDEX persons_by_body ON persons (body, person, public_key);
