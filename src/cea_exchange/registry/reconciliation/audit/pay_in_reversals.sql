-- Every reversal of a pay-in (45) is of one pay-in (2) before it that persons booked, out of the
-- same account, of no more than it, and noted.
-- Rule: CEA-PER-08
-- Must come out: nothing. A row names the reversal, and says what is wrong.
-- Says: entry {entry_id} reverses {reference}: {wrong}
SELECT e.entry_id, e.reference,
    CASE WHEN noted.pay_in_entry IS NULL THEN 'none is noted'
        WHEN e.reference <> 'pay-in ' || noted.pay_in_entry
            THEN 'noted is pay-in ' || noted.pay_in_entry
        WHEN paid.entry_id IS NULL
            THEN 'entry ' || noted.pay_in_entry || ' is no pay-in of persons before it'
        ELSE 'it takes ' || e.amount || ' back, into its account were paid '
            || CASE paid.counter_index WHEN e.account_index THEN paid.amount ELSE 0 END
        END AS wrong
FROM entries AS e
LEFT JOIN pay_in_reversals AS noted ON noted.entry_id = e.entry_id
LEFT JOIN entries AS paid
    ON paid.entry_id = noted.pay_in_entry AND paid.kind = 2 AND paid.entry_id < e.entry_id
    AND EXISTS (
        SELECT 1 FROM acts
        WHERE acts.act_id = paid.act_id AND acts.op IN ('pay_in', 'reserve_fund', 'library')
    )
WHERE e.kind = 45 AND (
    paid.entry_id IS NULL OR e.reference <> 'pay-in ' || noted.pay_in_entry
    OR paid.counter_index <> e.account_index OR paid.amount < e.amount
)
UNION ALL
SELECT entry_id, 'pay-in ' || pay_in_entry, 'so it is noted, and it does not'
FROM pay_in_reversals
WHERE entry_id NOT IN (SELECT entry_id FROM entries WHERE kind = 45)
ORDER BY 1;
