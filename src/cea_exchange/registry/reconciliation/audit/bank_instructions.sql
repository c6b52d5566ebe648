-- What the bank was told to move between accounts is what the ledger moved: by a court's deduction
-- (19), a merger (21), a claim (27), a contribution to the risk reserve (43), proceeds (44).
-- Rule: CEA-BNK-14
-- Must come out: nothing. A row names the instruction and both amounts.
-- Says: instruction {instruction_id}: the bank was instructed to move {instructed} fen, its entry moved {moved}
SELECT instruction_id, i.cash AS instructed, e.amount AS moved
FROM bank_instructions AS i
LEFT JOIN entries AS e
    ON e.entry_id = subject AND asset_index = 65535 AND e.kind IN (19, 21, 27, 43, 44)
WHERE i.kind = 'between' AND (e.amount IS NULL OR e.amount <> i.cash)
ORDER BY subject, attempt;
