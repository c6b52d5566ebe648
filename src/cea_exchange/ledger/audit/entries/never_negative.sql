-- After no entry did anybody hold less than nothing of anything, in any compartment; contra
-- accounts (-1, -2) alone are below zero.
-- Rule: CEA-STL-01
-- Must come out: nothing. A row names the holding and the entry after which it was below zero.
-- Says: account {account_index}, {asset_index} in {compartment}: balance is {held} after entry
-- {entry_id}, below zero
SELECT account_index, asset_index, compartment, entry_id, held
FROM (
    SELECT account_index, asset_index, compartment, entry_id,
        sum(change) OVER (
            PARTITION BY account_index, asset_index, compartment ORDER BY entry_id
        ) AS held
    FROM (
        SELECT account_index, asset_index, compartment, posting_id / 8 AS entry_id,
            sum(amount) AS change
        FROM postings WHERE account_index NOT IN (-1, -2)
        GROUP BY account_index, asset_index, compartment, posting_id / 8
    ) AS changes
) AS holdings
WHERE held < 0
ORDER BY entry_id, account_index;
