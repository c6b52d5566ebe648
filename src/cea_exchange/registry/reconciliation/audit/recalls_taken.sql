-- What recalls took is what is taken off what is owed of them.
-- Rule: CEA-DIS-11
-- Must come out: nothing. A row names the recall and both sums.
-- Says: {reference}: {recalled} were recalled, {taken} are taken off what is owed
SELECT reference, sum(recalled) AS recalled, sum(taken) AS taken
FROM (
    SELECT 'recall ' || recall_id AS reference, recalled + recalled_kept AS recalled, 0 AS taken
    FROM recalls
    UNION ALL
    SELECT reference, 0, tonnes FROM deductions_taken WHERE distribution_id = 0
) AS counted
GROUP BY reference
HAVING sum(recalled) <> sum(taken)
ORDER BY reference;
