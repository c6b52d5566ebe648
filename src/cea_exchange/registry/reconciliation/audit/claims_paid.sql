-- Every payment of a claim (27) is of a claim, as that says, once, and kept as its payment.
-- Rule: CEA-STL-08
-- Must come out: nothing. A row names the entry, what it pays, what is owed and what it is kept as.
-- Says: entry {entry_id} pays {reference}: owed are {owed}, paid {paid}, kept as paid is claim
-- {kept}
SELECT e.entry_id, e.reference, c.amount AS owed, e.amount AS paid, k.claim_id AS kept
FROM entries AS e
LEFT JOIN claims AS c
    ON e.reference = 'claim ' || c.claim_id AND c.debtor_index = e.account_index
    AND c.creditor_index = e.counter_index AND c.asset_index = e.asset_index
LEFT JOIN claims_paid AS k ON k.entry_id = e.entry_id
WHERE e.kind = 27 AND (
    c.amount IS NULL OR c.amount <> e.amount OR k.claim_id IS NULL OR k.claim_id <> c.claim_id
    OR EXISTS (
        SELECT 1 FROM entries AS before
        WHERE before.kind = 27 AND before.reference = e.reference AND before.entry_id < e.entry_id
    )
)
UNION ALL
SELECT entry_id, 'none', 0, 0, claim_id
FROM claims_paid
WHERE entry_id NOT IN (SELECT entry_id FROM entries WHERE kind = 27)
ORDER BY 1;
