-- What a freeze holds, and what was deducted of it, is what its entries moved (17 frozen, 18
-- released, 19 deducted).
-- Rule: CEA-ENF-01, CEA-ENF-05, CEA-ENF-06
-- Must come out: nothing. A row names the freeze and both sums.
-- Says: freeze {freeze_id} of account {account_index}: it holds {in_force} and had {deducted}
-- deducted, its entries give {in_force_due} and {deducted_due}
SELECT freeze_id, account_index, in_force, deducted, in_force_due, deducted_due
FROM (
    SELECT f.freeze_id, f.account_index, f.in_force, f.deducted,
        coalesce(sum(CASE e.kind WHEN 17 THEN e.amount ELSE -e.amount END), 0) AS in_force_due,
        coalesce(sum(CASE e.kind WHEN 19 THEN e.amount ELSE 0 END), 0) AS deducted_due
    FROM freezes AS f
    LEFT JOIN entries AS e
        ON e.reference = 'freeze ' || f.freeze_id AND e.kind IN (17, 18, 19)
        AND e.account_index = f.account_index AND e.asset_index = f.asset_index
    GROUP BY f.freeze_id, f.account_index, f.in_force, f.deducted
) AS compared
WHERE in_force <> in_force_due OR deducted <> deducted_due
ORDER BY freeze_id;
