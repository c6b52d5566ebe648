-- Every entry has postings, and they sum to zero per asset.
-- Rule: CEA-STL-01
-- Must come out: nothing. A row names the entry, the asset, and what its postings sum to.
-- Says: entry {entry_id}: {asset_index} sums to {total}, {wrong}
SELECT posting_id / 8 AS entry_id, asset_index, sum(amount) AS total, 'not to zero' AS wrong
FROM postings
GROUP BY posting_id / 8, asset_index
HAVING sum(amount) <> 0
UNION ALL
SELECT entry_id, asset_index, 0, 'it has no postings'
FROM entries AS e
WHERE NOT EXISTS (
    SELECT 1 FROM postings AS p
    WHERE p.posting_id >= 8 * e.entry_id AND p.posting_id < 8 * (e.entry_id + 1)
)
ORDER BY 1;
