-- Each trade of the exchange has one delivery of its terms, and each bust that undid a delivered one
-- has one back; what is posted was posted by one entry of theirs, and what is not by none.
-- Rule: CCER-STL-01
-- Must come out: nothing. A row names the delivery or the entry, and what is wrong.
-- Says: {of_what}: {wrong}
SELECT 'trade ' || t.trade_id AS of_what, 'its delivery is missing, or of other terms' AS wrong
FROM trades AS t
LEFT JOIN deliveries AS d ON d.settlement_seq = t.settlement_seq AND d.kind = 'trade'
    AND d.account_index = t.seller_index AND d.counter_index = t.buyer_index
    AND d.asset_index = t.asset_index AND d.tonnes = t.tonnes
    AND d.business_date = t.trading_date
WHERE d.settlement_seq IS NULL
UNION ALL
SELECT 'bust ' || b.settlement_seq, 'the trade''s delivery stands, and nothing went back'
FROM busts AS b
JOIN deliveries AS d ON d.settlement_seq = b.trade_seq
LEFT JOIN deliveries AS back ON back.settlement_seq = b.settlement_seq AND back.kind = 'bust'
    AND back.account_index = d.counter_index AND back.counter_index = d.account_index
    AND back.asset_index = d.asset_index AND back.tonnes = d.tonnes
WHERE b.reason = 0 AND (d.state = 'undone') = (back.settlement_seq IS NOT NULL)
UNION ALL
SELECT 'delivery ' || d.settlement_seq, 'it is ' || d.state || ', by entry ' || d.entry_id
FROM deliveries AS d
LEFT JOIN entries AS e ON e.entry_id = d.entry_id
    AND e.kind = CASE d.kind WHEN 'withdrawn' THEN 6 ELSE 32 END
    AND e.account_index = d.account_index AND e.counter_index = d.counter_index
    AND e.asset_index = d.asset_index AND e.amount = d.tonnes
    AND e.business_date = d.business_date
    AND e.reference = d.kind || ' ' || d.settlement_seq
WHERE (d.state = 'posted') <> (e.entry_id IS NOT NULL)
UNION ALL
SELECT 'entry ' || e.entry_id, 'it delivers what no record of the exchange moved'
FROM entries AS e LEFT JOIN deliveries AS d ON d.entry_id = e.entry_id
WHERE e.kind = 32 AND d.settlement_seq IS NULL
ORDER BY 1;
