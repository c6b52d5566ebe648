-- The balances in every snapshot are those in the one before it and the postings between.
-- Must come out: nothing. A row names the snapshot, the holding, and by how much it is too low.
WITH spans AS (
    SELECT entry_id, lag(entry_id, 1, 0) OVER (ORDER BY entry_id) AS before FROM snapshots
)
SELECT entry_id, account_index, asset_index, compartment, sum(amount) AS missing
FROM (
    SELECT s.entry_id, p.account_index, p.asset_index, p.compartment, p.amount
    FROM spans AS s
    JOIN postings AS p
        ON p.posting_id >= 8 * (s.before + 1) AND p.posting_id < 8 * (s.entry_id + 1)
    UNION ALL
    SELECT s.entry_id, b.account_index, b.asset_index, b.compartment, b.amount
    FROM spans AS s JOIN snapshot_balances AS b ON b.entry_id = s.before
    UNION ALL
    SELECT entry_id, account_index, asset_index, compartment, -amount FROM snapshot_balances
) AS counted
GROUP BY entry_id, account_index, asset_index, compartment
HAVING sum(amount) <> 0
ORDER BY entry_id, account_index;
