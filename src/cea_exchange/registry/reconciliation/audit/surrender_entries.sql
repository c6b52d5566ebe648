-- Every entry of a surrender or carryover has its line, and each line its entries: set aside (11),
-- set free (12), surrendered (13) to the province (-100 - its code) and on to the authority (-5),
-- retired (14) to -6; or carried over (16) to -9 and issued (1) from -1 of the vintage that is
-- carried into.
-- Rule: CEA-SUR-09, CEA-CRY-01, CEA-CRY-07
-- Must come out: nothing. A row names the act, the way, and both sums.
-- Says: {reference}: {kind} from {account_index} to {counter_index} must be {due} of {asset_index},
-- is {posted}
WITH given AS (
    SELECT 'surrender ' || surrender_id AS reference, state, giver_index,
        -100 - province AS province_index, asset_index, tonnes
    FROM surrenders JOIN surrender_lines USING (surrender_id)
), carried AS (
    SELECT 'carryover ' || carryover_id AS reference, state, account_index, asset_index, tonnes,
        (SELECT product_index FROM products WHERE product = 'CEA25') AS target_index
    FROM carryovers JOIN carryover_lines USING (carryover_id)
)
SELECT CASE reference WHEN '' THEN 'no act' ELSE reference END AS reference, kind, account_index,
    counter_index, asset_index, sum(due) AS due, sum(posted) AS posted
FROM (
    SELECT reference, 11 AS kind, giver_index AS account_index, giver_index AS counter_index,
        asset_index, tonnes AS due, 0 AS posted
    FROM given
    UNION ALL
    SELECT reference, 12, giver_index, giver_index, asset_index, tonnes, 0 FROM given
    WHERE state IN ('withdrawn', 'rejected')
    UNION ALL
    SELECT reference, 13, giver_index, province_index, asset_index, tonnes, 0 FROM given
    WHERE state IN ('accepted', 'retired') AND giver_index <> province_index
    UNION ALL
    SELECT reference, 13, province_index, -5, asset_index, tonnes, 0 FROM given
    WHERE state IN ('accepted', 'retired')
    UNION ALL
    SELECT reference, 14, -5, -6, asset_index, tonnes, 0 FROM given WHERE state = 'retired'
    UNION ALL
    SELECT reference, 11, account_index, account_index, asset_index, tonnes, 0 FROM carried
    UNION ALL
    SELECT reference, 12, account_index, account_index, asset_index, tonnes, 0 FROM carried
    WHERE state = 'withdrawn'
    UNION ALL
    SELECT reference, 16, account_index, -9, asset_index, tonnes, 0 FROM carried
    WHERE state = 'exchanged'
    UNION ALL
    SELECT reference, 1, -1, account_index, target_index, tonnes, 0 FROM carried
    WHERE state = 'exchanged'
    UNION ALL
    SELECT reference, kind, account_index, counter_index, asset_index, 0, amount FROM entries
    WHERE kind IN (13, 14, 16) OR reference LIKE 'surrender %' OR reference LIKE 'carryover %'
) AS ways
GROUP BY reference, kind, account_index, counter_index, asset_index
HAVING sum(due) <> sum(posted)
ORDER BY kind, account_index, counter_index;
