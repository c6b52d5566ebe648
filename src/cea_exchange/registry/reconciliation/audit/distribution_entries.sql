-- Every entry of a distribution, recall, release or borrowing (9, 10) has its line, and each line
-- its entries: from the authority (-5) over the province (-100 - its code) to the account, and
-- back, and from the authority out of circulation (-8). What an account is given that was merged
-- goes on (21) to who has taken it over, and nothing else does.
-- Rule: CEA-DIS-07, CEA-DIS-10
-- Must come out: nothing. A row names the act, the way, and both sums.
-- Says: {reference}: {kind} from {account_index} to {counter_index} must be {due} of {asset_index},
-- is {posted}
WITH RECURSIVE taken_over (account_index, into_index) AS (
    SELECT c.account_index, a.account_index
    FROM account_changes AS c JOIN accounts AS a ON a.account = c.became
    WHERE c.change = 'merged'
    UNION
    SELECT t.account_index, a.account_index
    FROM taken_over AS t
    JOIN account_changes AS c ON c.account_index = t.into_index AND c.change = 'merged'
    JOIN accounts AS a ON a.account = c.became
), passed_on (reference, account_index, counter_index, asset_index, amount) AS (
    SELECT reference, account_index, counter_index, asset_index, amount
    FROM entries WHERE kind = 21 AND reference LIKE 'distribution %'
), given (reference, province_index, account_index, asset_index, given, kept) AS (
    SELECT 'distribution ' || distribution_id, -100 - province, account_index, product_index, given,
        kept
    FROM distribution_lines JOIN distributions USING (distribution_id)
    UNION ALL
    SELECT 'borrowing ' || borrowing_id, -100 - province, account_index, product_index, 0, tonnes
    FROM borrowings
    UNION ALL
    SELECT reference, -100 - province, account_index, product_index, -tonnes, tonnes
    FROM kept_changes WHERE reference LIKE 'release %'
), recalled (reference, province_index, account_index, asset_index, recalled, kept) AS (
    SELECT 'distribution ' || distribution_id, -100 - province, account_index, product_index,
        recalled, recalled_kept
    FROM distribution_lines JOIN distributions USING (distribution_id)
    UNION ALL
    SELECT 'recall ' || recall_id, -100 - province, account_index, product_index,
        recalled, recalled_kept
    FROM recalls
)
SELECT CASE reference WHEN '' THEN 'no act' ELSE reference END AS reference, kind, account_index,
    counter_index, asset_index, sum(due) AS due, sum(posted) AS posted
FROM (
    SELECT reference, 9 AS kind, -5 AS account_index, province_index AS counter_index,
        asset_index, given + kept AS due, 0 AS posted
    FROM given
    UNION ALL
    SELECT reference, 9, province_index, account_index, asset_index, given, 0 FROM given
    UNION ALL
    SELECT reference, 10, account_index, province_index, asset_index, recalled, 0 FROM recalled
    UNION ALL
    SELECT reference, 10, province_index, -5, asset_index, recalled + kept, 0 FROM recalled
    UNION ALL
    SELECT reference, 10, -5, -8, asset_index, recalled + kept, 0 FROM recalled
    UNION ALL
    SELECT p.reference, 21, p.account_index, p.counter_index, p.asset_index, g.given, 0
    FROM passed_on AS p
    JOIN given AS g ON g.reference = p.reference AND g.account_index = p.account_index
    JOIN taken_over AS t ON t.account_index = p.account_index AND t.into_index = p.counter_index
    UNION ALL
    SELECT reference, 21, account_index, counter_index, asset_index, 0, amount FROM passed_on
    UNION ALL
    SELECT reference, kind, account_index, counter_index, asset_index, 0, amount
    FROM entries WHERE kind IN (9, 10)
) AS ways
GROUP BY reference, kind, account_index, counter_index, asset_index
HAVING sum(due) <> sum(posted)
ORDER BY kind, account_index, counter_index;
