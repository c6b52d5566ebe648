-- Every entry that names a freeze or a disposition is of one there is, of its account and asset,
-- and of a kind that it brings.
-- Rule: CEA-ENF-01, CEA-ENF-07
-- Must come out: nothing. A row is an entry that should not be.
-- Says: entry {entry_id}, {kind} of '{reference}', is of no such freeze or disposition
SELECT e.entry_id, e.kind, e.reference
FROM entries AS e
WHERE (e.reference LIKE 'freeze %' AND NOT EXISTS (
    SELECT 1 FROM freezes AS f
    WHERE e.reference = 'freeze ' || f.freeze_id AND e.kind IN (17, 18, 19)
        AND e.account_index = f.account_index AND e.asset_index = f.asset_index
)) OR (e.reference LIKE 'disposition %' AND NOT EXISTS (
    SELECT 1 FROM dispositions AS d
    WHERE e.reference = 'disposition ' || d.disposition_id
        AND (e.kind IN (11, 12) OR (e.kind = 15 AND d.counter_index IS NULL)
            OR (e.kind = 20 AND d.counter_index = e.counter_index))
        AND e.account_index = d.account_index AND e.asset_index = d.asset_index
))
ORDER BY e.entry_id;
