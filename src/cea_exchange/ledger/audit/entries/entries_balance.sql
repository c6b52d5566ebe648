-- Every entry's postings sum to zero per asset, every posting belongs to an entry, and every entry
-- has postings.
-- Must come out: nothing. A row names the entry, the asset, and what its postings sum to.
SELECT coalesce(p.entry_id, e.entry_id) AS entry_id, p.asset_index, p.total,
    CASE WHEN e.entry_id IS NULL THEN 'no such entry' WHEN p.entry_id IS NULL THEN 'no postings'
        ELSE 'does not sum to zero' END AS what
FROM (
    SELECT posting_id / 8 AS entry_id, asset_index, sum(amount) AS total
    FROM postings GROUP BY posting_id / 8, asset_index
) AS p
FULL JOIN entries AS e ON e.entry_id = p.entry_id
WHERE e.entry_id IS NULL OR p.entry_id IS NULL OR p.total <> 0
ORDER BY 1;
