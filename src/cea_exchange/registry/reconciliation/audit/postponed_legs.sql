-- What waits for trades that are not posted counts with the legs that it will have: a bust its
-- trade's, the other way; a withdrawal (6) the same from trading (3) to registration (1).
-- Rule: CEA-STL-06
-- Must come out: nothing. A row names the record, the holding, and by how much its legs are too
-- high.
-- Says: record {settlement_seq}, postponed: {too_much} too much of {asset_index} for account
-- {account_index} in {compartment}
WITH undone AS (
    SELECT b.settlement_seq, t.buyer_index, t.seller_index, t.product_index, t.tonnes,
        t.cash, t.buy_fee, t.sell_fee
    FROM busts AS b JOIN trades AS t ON t.settlement_seq = b.trade_seq
    WHERE b.reason = 0 AND t.posted_seq > 0
        AND b.settlement_seq IN (SELECT settlement_seq FROM postponed)
)
SELECT settlement_seq, account_index, asset_index, compartment, sum(amount) AS too_much
FROM (
    SELECT settlement_seq, account_index, asset_index, compartment, amount FROM postponed
    UNION ALL
    SELECT settlement_seq, account_index, asset_index, 4 - compartment, amount FROM postponed
    WHERE kind = 6
    UNION ALL
    SELECT settlement_seq, buyer_index, 65535, 3, -(cash + buy_fee) FROM undone
    UNION ALL
    SELECT settlement_seq, seller_index, 65535, 3, cash - sell_fee FROM undone
    UNION ALL
    SELECT settlement_seq, seller_index, product_index, 3, -tonnes FROM undone
    UNION ALL
    SELECT settlement_seq, buyer_index, product_index, 3, tonnes FROM undone
    UNION ALL
    SELECT settlement_seq, -3, 65535, 1, buy_fee + sell_fee FROM undone
) AS counted
GROUP BY settlement_seq, account_index, asset_index, compartment
HAVING sum(amount) <> 0
ORDER BY settlement_seq, account_index;
