-- What the view `balances` shows is what all postings sum to.
-- Rule: CEA-REG-05
-- Must come out: nothing. A row names the holding, what is shown, and what its postings sum to.
-- Says: account {account_index}, {asset_index} in {compartment}: the view balances shows {shown},
-- its postings sum to {posted}
SELECT account_index, asset_index, compartment, sum(shown) AS shown, sum(posted) AS posted
FROM (
    SELECT account_index, asset_index, compartment, amount AS shown, 0 AS posted FROM balances
    UNION ALL
    SELECT account_index, asset_index, compartment, 0, amount FROM postings
) AS counted
GROUP BY account_index, asset_index, compartment
HAVING sum(shown) <> sum(posted)
ORDER BY account_index, asset_index;
