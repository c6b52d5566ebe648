-- Every reversal of an issue (28) is of one issue (1) to the authority (-5) before it, of its
-- product, of no more than it, and noted.
-- Rule: CEA-PER-07
-- Must come out: nothing. A row names the reversal, and says what is wrong.
-- Says: entry {entry_id} reverses {reference}: {wrong}
SELECT e.entry_id, e.reference,
    CASE WHEN noted.issue_entry IS NULL THEN 'none is noted'
        WHEN e.reference <> 'issue ' || noted.issue_entry
            THEN 'noted is issue ' || noted.issue_entry
        WHEN issue.entry_id IS NULL
            THEN 'entry ' || noted.issue_entry || ' is no issue to the authority before it'
        ELSE 'it takes ' || e.amount || ' back, of its product were issued '
            || CASE issue.asset_index WHEN e.asset_index THEN issue.amount ELSE 0 END
        END AS wrong
FROM entries AS e
LEFT JOIN issue_reversals AS noted ON noted.entry_id = e.entry_id
LEFT JOIN entries AS issue
    ON issue.entry_id = noted.issue_entry AND issue.kind = 1 AND issue.counter_index = -5
    AND issue.entry_id < e.entry_id
WHERE e.kind = 28 AND (
    issue.entry_id IS NULL OR e.reference <> 'issue ' || noted.issue_entry
    OR issue.asset_index <> e.asset_index OR issue.amount < e.amount
)
UNION ALL
SELECT entry_id, 'issue ' || issue_entry, 'so it is noted, and it does not'
FROM issue_reversals
WHERE entry_id NOT IN (SELECT entry_id FROM entries WHERE kind = 28)
ORDER BY 1;
