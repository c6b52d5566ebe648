-- The days that began, and what was done about the clock.
CREATE TABLE business_days (                      -- each that began, by the registry's own clock
    business_date BIGINT PRIMARY KEY CHECK (business_date > 0),
    began_ns BIGINT NOT NULL                      -- when the registry noticed
);
CREATE TABLE clock_acts (                         -- what persons did about the registry's clock
    clock_act_id BIGINT PRIMARY KEY CHECK (clock_act_id > 0),
    act TEXT NOT NULL CHECK (act IN ('move', 'confirm')),
    at_ns BIGINT NOT NULL                         -- where a manual clock was moved; what was right
);
