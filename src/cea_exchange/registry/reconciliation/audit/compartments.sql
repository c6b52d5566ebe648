-- The trading account (compartment 3) moves only by what the venue said: deposits (4), withdrawals
-- (6), trades (7) and busts (8). Contra accounts move only by issue (1), its reversal (28), pay in
-- (2), its reversal (45) and what was paid out (23). Nothing leaves what is retired (-6), cancelled
-- (-7), recalled (-8) or carried over (-9).
-- Rule: CEA-STL-01, CEA-STL-03
-- Must come out: nothing. A row is a posting that should not be.
-- Says: posting {posting_id}: {amount} of {asset_index} in {compartment} of account {account_index}
-- must not be moved by {kind}
SELECT p.posting_id, e.kind, p.account_index, p.asset_index, p.compartment, p.amount
FROM postings AS p
JOIN entries AS e ON e.entry_id = p.posting_id / 8
WHERE (p.compartment = 3 AND e.kind NOT IN (4, 6, 7, 8))
    OR (p.account_index IN (-1, -2) AND e.kind NOT IN (1, 2, 23, 28, 45))
    OR ((p.compartment = 0) <> (p.account_index IN (-1, -2)))
    OR (p.account_index BETWEEN -9 AND -6 AND p.amount < 0)
ORDER BY p.posting_id;
