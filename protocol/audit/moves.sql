-- Every other entry takes its amount from the first account and gives it to the second, and moves
-- nothing else.
-- Must come out: nothing. A row names the entry, the account and asset, and by how much its
-- postings are too high.
SELECT entry_id, account_index, asset_index, sum(amount) AS too_much
FROM (
    SELECT e.entry_id, p.account_index, p.asset_index, p.amount
    FROM entries AS e
    JOIN postings AS p
        ON p.posting_id >= 8 * e.entry_id AND p.posting_id < 8 * (e.entry_id + 1)
    WHERE e.kind NOT IN (7, 8)
    UNION ALL
    SELECT entry_id, account_index, asset_index, amount FROM entries WHERE kind NOT IN (7, 8)
    UNION ALL
    SELECT entry_id, counter_index, asset_index, -amount FROM entries WHERE kind NOT IN (7, 8)
) AS counted
GROUP BY entry_id, account_index, asset_index
HAVING sum(amount) <> 0
ORDER BY entry_id, account_index;
