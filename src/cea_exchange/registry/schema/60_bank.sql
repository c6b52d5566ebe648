-- The settlement bank's instructions, its answers, and what it has booked.
CREATE TABLE bank_instructions (
    instruction_id TEXT PRIMARY KEY,              -- also the end-to-end reference, for ever
    kind TEXT NOT NULL CHECK (kind IN
        ('trade', 'fee', 'reserve', 'recovery', 'pay_out', 'bust', 'fee_back', 'between')),
    subject BIGINT NOT NULL,                      -- settlement_seq of the trade or bust, or the id
                                                  -- of the default, pay-out or entry
    attempt BIGINT NOT NULL CHECK (attempt > 0),  -- 2 follows one that was refused
    debtor TEXT NOT NULL,
    creditor TEXT NOT NULL,
    cash BIGINT NOT NULL CHECK (cash > 0),
    business_date BIGINT NOT NULL,
    purpose TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('made', 'sent', 'accepted', 'pending', 'late', 'in_error',
        'booked', 'refused')),                    -- registry/bank/lifecycle.py
    reason TEXT NOT NULL,                         -- the bank's, where it refused
    batch_id TEXT NOT NULL                        -- '' before it was sent
);
CREATE INDEX bank_instructions_of ON bank_instructions (kind, subject);
CREATE INDEX bank_instructions_open ON bank_instructions (state) WHERE state <> 'booked';
CREATE TABLE bank_batches (
    batch_id TEXT PRIMARY KEY,
    content BYTEA NOT NULL,                       -- the pain.001, byte for byte
    is_answered BIGINT NOT NULL CHECK (is_answered IN (0, 1))
) WITHOUT ROWID;
CREATE INDEX bank_batches_answered ON bank_batches (is_answered);
CREATE TABLE bank_reports (                       -- the bank's answers, each that says something new
    report_no BIGINT PRIMARY KEY CHECK (report_no > 0),
    batch_id TEXT NOT NULL,
    business_date BIGINT NOT NULL,
    digest TEXT NOT NULL,                         -- of what it says: the same is not kept again
    content BYTEA NOT NULL,                       -- byte for byte, up to 4 MiB
    content_bytes BIGINT NOT NULL,                -- how many came
    state TEXT NOT NULL CHECK (state IN ('applied', 'refused', 'unreadable')),
    why TEXT NOT NULL                             -- what of it could not be applied when it came
);
CREATE INDEX bank_reports_of ON bank_reports (batch_id, digest);
CREATE TABLE bank_unapplied (                     -- what reports and statements say of instructions
                                                  -- that could not be applied when it came
    unapplied_id BIGINT PRIMARY KEY CHECK (unapplied_id > 0),
    business_date BIGINT NOT NULL,
    source TEXT NOT NULL,                         -- report 12, statement S-1
    instruction_id TEXT NOT NULL,
    status TEXT NOT NULL,                         -- the status, or the outcome a statement shows
    reason TEXT NOT NULL,                         -- the bank's, where it refused
    why TEXT NOT NULL,                            -- what kept it from being applied
    state TEXT NOT NULL CHECK (state IN
        ('open', 'applied', 'overtaken', 'closed'))
);
CREATE INDEX bank_unapplied_open ON bank_unapplied (unapplied_id) WHERE state = 'open';
CREATE TABLE bank_statements (                    -- each read once, whole
    statement_id TEXT PRIMARY KEY,
    business_date BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    content BYTEA NOT NULL                        -- the camt.053, byte for byte
) WITHOUT ROWID;
CREATE INDEX bank_statements_on ON bank_statements (business_date, sequence);
CREATE TABLE bank_entries (                       -- what the statements show
    entry_ref TEXT PRIMARY KEY,
    statement_id TEXT NOT NULL REFERENCES bank_statements,
    account TEXT NOT NULL,                        -- sub-account
    cash BIGINT NOT NULL CHECK (cash <> 0),
    instruction_id TEXT NOT NULL,                 -- '' is none
    counter_account TEXT NOT NULL,
    reference TEXT NOT NULL,
    reverses TEXT NOT NULL
);
CREATE INDEX bank_entries_of ON bank_entries (instruction_id);
CREATE INDEX bank_entries_in ON bank_entries (statement_id);
CREATE TABLE bank_unexplained (                   -- entries without an instruction that are no pay-in
    entry_ref TEXT PRIMARY KEY REFERENCES bank_entries -- and that nothing has reversed
) WITHOUT ROWID;
CREATE TABLE bank_accounts (                      -- sub-accounts the statements have shown
    account TEXT PRIMARY KEY,
    closing BIGINT NOT NULL
) WITHOUT ROWID;
CREATE TABLE bank_pay_ins (                       -- pay-ins booked, each once
    entry_ref TEXT PRIMARY KEY REFERENCES bank_entries, -- the bank's
    entry_id BIGINT NOT NULL REFERENCES entries   -- the ledger's
) WITHOUT ROWID;
CREATE TABLE pay_outs (
    pay_out_id BIGINT PRIMARY KEY CHECK (pay_out_id > 0),
    account_index BIGINT NOT NULL REFERENCES accounts,
    cash BIGINT NOT NULL CHECK (cash > 0),
    creditor TEXT NOT NULL,                       -- the participant's own account
    state TEXT NOT NULL CHECK (state IN ('begun', 'paid', 'returned'))
);
CREATE TABLE bank_progress (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    trade_seq BIGINT NOT NULL                     -- trades up to here were looked at
);
CREATE TABLE pay_in_reversals (                   -- of what persons booked by mistake
    pay_in_entry BIGINT PRIMARY KEY REFERENCES entries, -- each once
    entry_id BIGINT NOT NULL UNIQUE REFERENCES entries, -- of the reversal
    why TEXT NOT NULL
);
