-- `recalls_open` has the recalls that are not filled, and no others.
-- Rule: CEA-DIS-11
-- Must come out: nothing. A row names the deduction, what is left of it and whether it is kept.
-- Says: deduction {deduction_id}: {remaining} are left to recall, recalls_open has {is_open}
-- row of it
SELECT deduction_id, sum(remaining) AS remaining, sum(is_open) AS is_open
FROM (
    SELECT deduction_id, tonnes AS remaining, 0 AS is_open FROM deductions WHERE cause = 'recall'
    UNION ALL
    SELECT deduction_id, -tonnes, 0 FROM deductions_taken
    WHERE deduction_id IN (SELECT deduction_id FROM deductions WHERE cause = 'recall')
    UNION ALL
    SELECT deduction_id, 0, 1 FROM recalls_open
) AS counted
GROUP BY deduction_id
HAVING (sum(remaining) > 0) <> (sum(is_open) = 1)
ORDER BY deduction_id;
