-- Proposals that a second person decides on, and every act that came over the control socket.
CREATE TABLE proposals (
    proposal_id BIGINT PRIMARY KEY CHECK (proposal_id > 0),
    op TEXT NOT NULL,
    request BYTEA NOT NULL,
    request_hash TEXT NOT NULL,         -- SHA-256, 64 hexadecimal digits
    proposer TEXT NOT NULL,
    proposer_key TEXT NOT NULL,
    body TEXT NOT NULL,                 -- whose person decides
    made_at_ns BIGINT NOT NULL,
    expires_at_ns BIGINT NOT NULL
);
CREATE INDEX proposals_by_expiry ON proposals (expires_at_ns);
CREATE INDEX proposals_by_body ON proposals (body, proposal_id);
CREATE INDEX proposals_by_proposer ON proposals (proposer_key, proposal_id);
CREATE TABLE decisions (
    proposal_id BIGINT PRIMARY KEY REFERENCES proposals, -- one for each proposal at most
    approved BIGINT NOT NULL CHECK (approved IN (0, 1)),
    person TEXT NOT NULL,
    person_key TEXT NOT NULL,
    why TEXT NOT NULL,
    at_ns BIGINT NOT NULL
);
CREATE TABLE role_settings (            -- as a daemon began with them, where they had changed
    setting_id BIGINT PRIMARY KEY CHECK (setting_id > 0),
    after_act BIGINT NOT NULL,          -- they hold from the next act, and the next proposal, on
    after_proposal BIGINT NOT NULL,
    at_ns BIGINT NOT NULL,
    content BYTEA NOT NULL              -- MessagePack: who the settings name, which ops take two,
                                        -- which role may what
);
CREATE TABLE acts (                     -- what persons asked for, and what the registry did itself
    act_id BIGINT PRIMARY KEY CHECK (act_id > 0),
    at_ns BIGINT NOT NULL,
    business_date BIGINT NOT NULL,      -- yyyymmdd, of its entries; 0: the clock was doubted
    op TEXT NOT NULL,                   -- of a request, or of registry/act_log.py, OwnAct
    person TEXT NOT NULL,               -- '' where the registry acted itself
    person_key TEXT NOT NULL,
    second TEXT NOT NULL,               -- who approved; '' where one person was enough
    second_key TEXT NOT NULL,
    proposal_id BIGINT NOT NULL,        -- 0 is none
    account TEXT NOT NULL,              -- that the request names, with product and amount: '', '' and
    product TEXT NOT NULL,              -- 0 where it names none
    amount BIGINT NOT NULL,             -- tonnes or fen
    request BYTEA NOT NULL,
    answer BYTEA NOT NULL
);
