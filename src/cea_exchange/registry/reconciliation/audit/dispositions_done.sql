-- A disposition has set aside (11) what it is about; refused it is set free (12), done it is
-- cancelled (15), or another's (20).
-- Rule: CEA-ENF-07, CEA-ENF-08
-- Must come out: nothing. A row names the disposition, and what its entries moved.
-- Says: disposition {disposition_id} of account {account_index} is {state}: it must have set aside
-- {tonnes}, and set free or disposed of them by its state; its entries give {set_aside},
-- {set_free}, {disposed}
SELECT disposition_id, account_index, state, tonnes, set_aside, set_free, disposed
FROM (
    SELECT d.disposition_id, d.account_index, d.state, d.tonnes,
        coalesce(sum(CASE e.kind WHEN 11 THEN e.amount ELSE 0 END), 0) AS set_aside,
        coalesce(sum(CASE e.kind WHEN 12 THEN e.amount ELSE 0 END), 0) AS set_free,
        coalesce(sum(CASE WHEN e.kind IN (15, 20) THEN e.amount ELSE 0 END), 0) AS disposed
    FROM dispositions AS d
    LEFT JOIN entries AS e
        ON e.reference = 'disposition ' || d.disposition_id
        AND (e.kind IN (11, 12) OR (e.kind = 15 AND d.counter_index IS NULL)
            OR (e.kind = 20 AND d.counter_index = e.counter_index))
        AND e.account_index = d.account_index AND e.asset_index = d.asset_index
    GROUP BY d.disposition_id, d.account_index, d.state, d.tonnes
) AS compared
WHERE set_aside <> tonnes
    OR set_free <> CASE state WHEN 'refused' THEN tonnes ELSE 0 END
    OR disposed <> CASE state WHEN 'done' THEN tonnes ELSE 0 END
ORDER BY disposition_id;
