-- The last day that is confirmed is over, its checkpoint agreed, and of it and the days before it
-- nothing waits; what failed is named.
-- Rule: CCER-STL-01
-- Must come out: nothing. A row names the day, or the sequence, and what is wrong.
-- Says: {of_what}: {wrong}
SELECT 'day ' || m.confirmed_date AS of_what, 'it is confirmed, and is not over' AS wrong
FROM meta AS m
LEFT JOIN market_days AS d ON d.trading_date = m.confirmed_date AND d.completed_seq > 0
WHERE m.confirmed_date > 0 AND d.trading_date IS NULL
UNION ALL
SELECT 'delivery ' || v.settlement_seq, 'it waits, and day ' || d.trading_date || ' is confirmed'
FROM deliveries AS v
JOIN market_days AS d ON d.completed_seq > 0 AND v.settlement_seq <= d.closed_seq
WHERE v.entry_id = 0 AND v.state = 'waiting'
UNION ALL
SELECT 'checkpoint ' || c.settlement_seq,
    'venue ' || c.venue_hash || ', registry ' || c.registry_hash
FROM checkpoints AS c JOIN meta AS m ON m.state = 'ok'
WHERE c.venue_hash <> c.registry_hash
ORDER BY 1;
