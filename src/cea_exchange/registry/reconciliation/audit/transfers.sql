-- What is in transit (compartment 2) is what transfers in are under way, account for account.
-- Must come out: nothing. A row names the holding, and by how much too much is in transit.
SELECT account_index, asset_index, sum(amount) AS too_much
FROM (
    SELECT account_index, asset_index, amount FROM postings WHERE compartment = 2
    UNION ALL
    SELECT account_index, asset_index, -amount FROM transfers
    WHERE direction = 'in' AND state = 'pending'
) AS counted
GROUP BY account_index, asset_index
HAVING sum(amount) <> 0
ORDER BY account_index;
