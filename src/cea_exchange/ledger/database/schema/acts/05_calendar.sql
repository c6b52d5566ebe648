-- Years of working days that were loaded behind those of the program, in order.
CREATE TABLE calendar_files (
    calendar_id BIGINT PRIMARY KEY CHECK (calendar_id > 0),
    name TEXT NOT NULL,
    first_day BIGINT NOT NULL,
    last_day BIGINT NOT NULL,
    content TEXT NOT NULL,                        -- TOML, as the program's own calendars are
    loaded_on BIGINT NOT NULL
);
