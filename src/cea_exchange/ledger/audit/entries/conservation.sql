-- Of every product, what was issued is what is held in every account and state, retired, cancelled,
-- recalled and carried over included; of cash, what was paid in and not out is what is held, fees
-- and the risk reserve included. Contra accounts (-1 issuance, -2 bank) hold minus what came.
-- Rule: CEA-STL-01
-- Must come out: nothing. A row names the asset (65535 is cash), what came and what is held.
-- Says: {asset_index}: issued or paid in are {came}, held {held}
SELECT asset_index,
    -sum(CASE WHEN account_index IN (-1, -2) THEN amount ELSE 0 END) AS came,
    sum(CASE WHEN account_index IN (-1, -2) THEN 0 ELSE amount END) AS held
FROM postings
GROUP BY asset_index
HAVING sum(amount) <> 0
ORDER BY asset_index;
