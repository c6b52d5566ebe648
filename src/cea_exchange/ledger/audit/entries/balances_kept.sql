-- The balances in every snapshot are those in the one before it and the postings between.
-- Rule: CEA-REG-05
-- Must come out: nothing. A row names the snapshot, the holding, and both sums.
-- Says: account {account_index}, {asset_index} in {compartment}: balance kept at entry {entry_id}
-- is {kept}, its postings sum to {posted}
WITH spans AS (
    SELECT entry_id, lag(entry_id, 1, 0) OVER (ORDER BY entry_id) AS before FROM snapshots
)
SELECT entry_id, account_index, asset_index, compartment, sum(kept) AS kept, sum(posted) AS posted
FROM (
    SELECT s.entry_id, p.account_index, p.asset_index, p.compartment, 0 AS kept, p.amount AS posted
    FROM spans AS s
    JOIN postings AS p
        ON p.posting_id >= 8 * (s.before + 1) AND p.posting_id < 8 * (s.entry_id + 1)
    UNION ALL
    SELECT s.entry_id, b.account_index, b.asset_index, b.compartment, 0, b.amount
    FROM spans AS s JOIN snapshot_balances AS b ON b.entry_id = s.before
    UNION ALL
    SELECT entry_id, account_index, asset_index, compartment, amount, 0 FROM snapshot_balances
) AS counted
GROUP BY entry_id, account_index, asset_index, compartment
HAVING sum(kept) <> sum(posted)
ORDER BY entry_id, account_index;
