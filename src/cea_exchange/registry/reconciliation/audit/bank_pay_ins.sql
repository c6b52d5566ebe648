-- Every pay-in that the bank showed was booked (2) with its amount.
-- Rule: CEA-BNK-07, CEA-BNK-12
-- Must come out: nothing. A row names the bank's entry and both amounts.
-- Says: pay-in {entry_ref}: the bank's entry is of {stated} fen, booked are {booked}
SELECT i.entry_ref, b.cash AS stated, e.amount AS booked
FROM bank_pay_ins AS i
LEFT JOIN bank_entries AS b ON b.entry_ref = i.entry_ref
LEFT JOIN entries AS e ON e.entry_id = i.entry_id AND e.kind = 2
WHERE b.cash IS NULL OR e.amount IS NULL OR e.amount <> b.cash
ORDER BY i.entry_ref;
