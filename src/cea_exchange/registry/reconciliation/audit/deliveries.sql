-- A day's delivery is complete once all its trades are posted, and before the day is confirmed.
-- Rule: CEA-STL-03, CEA-STL-05
-- Must come out: nothing. A row names the day and says what is wrong.
-- Says: delivery of {trading_date}: {wrong}
SELECT d.trading_date, 'it is complete, ' || count(*) || ' trades are not posted' AS wrong
FROM deliveries AS d JOIN trades AS t ON t.settlement_seq <= d.settlement_seq
WHERE completed_seq > 0 AND t.state <> 'settled' AND t.state = 'received'
GROUP BY d.trading_date
UNION ALL
SELECT trading_date, 'it is not complete, and the day is confirmed'
FROM deliveries
WHERE completed_seq = 0 AND trading_date <= (SELECT confirmed_date FROM meta)
ORDER BY 1;
