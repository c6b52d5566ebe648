-- Heads of the partners' chains, as they said them: ledger/anchoring.py.
CREATE TABLE partner_heads (
    partner TEXT NOT NULL CHECK (partner IN ('registry', 'platform', 'ccer')),
    link_id BIGINT NOT NULL CHECK (link_id > 0),
    head TEXT NOT NULL,                 -- 64 hexadecimal digits
    kept_at_ns BIGINT NOT NULL,         -- by the own clock
    PRIMARY KEY (partner, link_id)
) WITHOUT ROWID;
