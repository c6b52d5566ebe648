-- Whose database it is.
CREATE TABLE meta (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    institution TEXT NOT NULL,
    schema_version BIGINT NOT NULL,
    link_log_id TEXT NOT NULL                     -- of the stream to the registry
);
