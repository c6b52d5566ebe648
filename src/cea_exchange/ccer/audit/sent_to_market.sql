-- Each transfer to the exchange set out by one entry (kind 3) of its account, instrument and tonnes,
-- and each such entry is of one transfer; what comes back has none. An instrument is declared by
-- the account that first transferred it in, on the day of that transfer.
-- Rule: CCER-LOT-04, CCER-PRD-02
-- Must come out: nothing. A row names the transfer, the entry or the instrument, and what is wrong.
-- Says: {of_what}: {wrong}
SELECT 'transfer ' || t.transfer_seq AS of_what,
    'its entry ' || t.entry_id || ' is missing, or of other terms' AS wrong
FROM market_transfers AS t
LEFT JOIN entries AS e ON e.entry_id = t.entry_id AND e.kind = 3 AND e.amount = t.tonnes
    AND e.account_index = t.account_index AND e.counter_index = t.account_index
    AND e.asset_index = t.asset_index
WHERE (t.direction = 'in' AND e.entry_id IS NULL) OR (t.direction <> 'in' AND t.entry_id <> 0)
UNION ALL
SELECT 'entry ' || e.entry_id, 'it sent tonnes to the exchange for ' || count(t.entry_id) || ' transfers'
FROM entries AS e LEFT JOIN market_transfers AS t ON t.entry_id = e.entry_id
WHERE e.kind = 3
GROUP BY e.entry_id
HAVING count(t.entry_id) <> 1
UNION ALL
SELECT 'instrument ' || p.product, 'its first transfer was of another account or day'
FROM listings AS l
JOIN products AS p ON p.product_index = l.asset_index
LEFT JOIN market_transfers AS t ON t.account_index = l.account_index AND t.transfer_seq = (
    SELECT min(transfer_seq) FROM market_transfers AS sent WHERE sent.asset_index = l.asset_index
)
LEFT JOIN entries AS e ON e.entry_id = t.entry_id AND e.business_date = l.business_date
WHERE e.entry_id IS NULL
ORDER BY 1;
