-- Every other entry takes its amount from the first account and gives it to the second, and moves
-- nothing else.
-- Must come out: nothing. A row names the entry, the account and asset, and by how much its
-- postings are too high.
SELECT entry_id, account_index, asset_index, sum(amount) AS too_much
FROM (
    SELECT e.entry_id, p.account_index, p.asset_index, p.amount
    FROM postings AS p JOIN entries AS e ON e.entry_id = p.posting_id / 8
    WHERE e.kind NOT IN (7, 8)
    UNION ALL
    SELECT entry_id, account_index, asset_index, amount FROM entries WHERE kind NOT IN (7, 8)
    UNION ALL
    SELECT entry_id, counter_index, asset_index, -amount FROM entries WHERE kind NOT IN (7, 8)
) AS counted
GROUP BY entry_id, account_index, asset_index
HAVING sum(amount) <> 0
ORDER BY entry_id, account_index;
