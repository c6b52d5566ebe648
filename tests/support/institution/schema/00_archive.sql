-- An archive's own tables: the smallest institution there is.
CREATE TABLE meta (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    institution TEXT NOT NULL,
    schema_version BIGINT NOT NULL
);
CREATE TABLE documents (
    document_id BIGINT PRIMARY KEY CHECK (document_id > 0),
    title TEXT NOT NULL UNIQUE,
    content BYTEA NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('kept', 'destroyed'))
);
CREATE TABLE destructions (
    document_id BIGINT PRIMARY KEY,
    why TEXT NOT NULL,
    by_persons TEXT NOT NULL
);
