-- Answers that were given, by the asker's id.
CREATE TABLE requests (
    request_id TEXT PRIMARY KEY,                  -- the asker's own; a repeat gets the first answer
    request BYTEA NOT NULL,
    answer BYTEA NOT NULL
) WITHOUT ROWID;
