-- What left circulation to be carried over (account -9) is what was exchanged, vintage by vintage,
-- and as much of the next one was issued (1) for it (16).
-- Rule: CEA-CRY-07
-- Must come out: nothing. A row names the product, or the carryover, and both sides.
-- Says: {product}: exchanged are {exchanged}, and on the other side {carryover_account}
SELECT product, exchanged, carryover_account
FROM (
    SELECT
        product,
        (SELECT coalesce(sum(line.tonnes), 0) FROM carryover_lines AS line
            JOIN carryovers AS act ON act.carryover_id = line.carryover_id
            WHERE line.asset_index = product_index AND act.state = 'exchanged') AS exchanged,
        (SELECT coalesce(sum(amount), 0) FROM balances
            WHERE account_index = -9 AND asset_index = product_index) AS carryover_account
    FROM products
) AS compared
WHERE exchanged <> carryover_account
UNION ALL
SELECT reference AS product,
    sum(CASE WHEN kind = 16 THEN amount ELSE 0 END),
    sum(CASE WHEN kind = 1 THEN amount ELSE 0 END)
FROM entries
WHERE kind IN (1, 16) AND reference LIKE 'carryover %'
GROUP BY reference
HAVING sum(CASE WHEN kind = 16 THEN amount ELSE -amount END) <> 0;
