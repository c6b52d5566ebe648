-- What is in transit (compartment 2) is what transfers in are under way, account for account.
-- Rule: CEA-STL-01
-- Must come out: nothing. A row names the holding and both sums.
-- Says: account {account_index}, {asset_index} in transit: balance is {held}, transfers under way
-- are {under_way}
SELECT account_index, asset_index, sum(held) AS held, sum(under_way) AS under_way
FROM (
    SELECT account_index, asset_index, amount AS held, 0 AS under_way FROM postings
    WHERE compartment = 2
    UNION ALL
    SELECT account_index, asset_index, 0, amount FROM transfers
    WHERE direction = 'in' AND state = 'pending'
) AS counted
GROUP BY account_index, asset_index
HAVING sum(held) <> sum(under_way)
ORDER BY account_index;
