-- What bodies were told of what is due, and who read it.
CREATE TABLE messages (
    message_id BIGINT PRIMARY KEY CHECK (message_id > 0),
    body TEXT NOT NULL,                           -- 'enterprise E1', 'province 33', 'authority'
    subject TEXT NOT NULL,                        -- 'month 202507', 'result E1 2024'
    words TEXT NOT NULL,
    due_on BIGINT NOT NULL,                       -- yyyymmdd; 0 is none
    is_late BIGINT NOT NULL CHECK (is_late IN (0, 1)),
    made_on BIGINT NOT NULL,
    UNIQUE (body, subject, due_on, is_late)
);
CREATE INDEX messages_of ON messages (body, message_id);
CREATE TABLE message_reads (                      -- by the first of its body
    message_id BIGINT PRIMARY KEY REFERENCES messages,
    read_by TEXT NOT NULL,
    read_on BIGINT NOT NULL
);
