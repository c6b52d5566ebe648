-- What the proceeds account (-20) holds is what was booked there (44), entry by entry, of sales by
-- adjustment accounts; of no day more was booked than its trades brought, but for what was undone.
-- Rule: CEA-ADJ-03
-- Must come out: nothing. A row says what is wrong with which account's day, 0 for the whole.
-- Says: account {account_index}, day {trading_date}: {wrong}
SELECT e.account_index, 0 AS trading_date,
    'entry ' || e.entry_id || ' is not kept as proceeds, or with another amount' AS wrong
FROM entries AS e
LEFT JOIN proceeds AS p ON p.entry_id = e.entry_id AND p.account_index = e.account_index
WHERE e.kind = 44 AND (p.cash IS NULL OR p.cash <> e.amount)
UNION ALL
SELECT -20, 0, 'held are ' || held || ' fen, booked ' || booked
FROM (
    SELECT (SELECT coalesce(sum(amount), 0) FROM postings WHERE account_index = -20) AS held,
        (SELECT coalesce(sum(cash), 0) FROM proceeds) AS booked
) AS sums
WHERE held <> booked
UNION ALL
SELECT account_index, trading_date,
    'booked are ' || booked || ' fen, its trades brought ' || brought
FROM (
    SELECT account_index, trading_date, sum(cash) AS booked,
        (SELECT coalesce(sum(t.cash - t.sell_fee), 0) FROM trades AS t
            WHERE t.seller_index = p.account_index AND t.trading_date = p.trading_date
                AND t.state IN ('settled', 'busted')) AS brought
    FROM proceeds AS p
    GROUP BY account_index, trading_date
) AS compared
WHERE booked > brought
ORDER BY 1, 2;
