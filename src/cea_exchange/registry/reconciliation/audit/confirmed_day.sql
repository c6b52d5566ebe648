-- Only a day that the venue's records have closed is confirmed.
-- Rule: CEA-STL-03
-- Must come out: nothing. A row is the day.
-- Says: confirmed_date is {confirmed_date}: no record closes that day
SELECT confirmed_date FROM meta
WHERE confirmed_date > 0 AND confirmed_date NOT IN (SELECT trading_date FROM day_closes);
