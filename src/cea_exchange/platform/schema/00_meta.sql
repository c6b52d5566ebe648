-- Whose database it is.
CREATE TABLE meta (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    institution TEXT NOT NULL,
    schema_version BIGINT NOT NULL
);
