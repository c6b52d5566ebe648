-- What is frozen in an account (compartment 5) is what freezes in force hold there.
-- Rule: CEA-ENF-01
-- Must come out: nothing. A row names the account, the asset and both sums.
-- Says: account {account_index}, {asset_index} in judicial: balance is {held}, freezes in force are
-- {in_force}
SELECT account_index, asset_index, sum(held) AS held, sum(in_force) AS in_force
FROM (
    SELECT account_index, asset_index, amount AS held, 0 AS in_force FROM balances
    WHERE compartment = 5
    UNION ALL
    SELECT account_index, asset_index, 0, in_force FROM freezes
) AS counted
GROUP BY account_index, asset_index
HAVING sum(held) <> sum(in_force)
ORDER BY account_index, asset_index;
