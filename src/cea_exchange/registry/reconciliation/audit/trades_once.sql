-- Every trade that was posted has one entry (kind 7) with both legs as its figures say: delivery
-- versus payment, each once. A trade that was posted late is named by its entry's reference.
-- Rule: CEA-STL-01, CEA-STL-02
-- Must come out: nothing. A row names the trade by its settlement sequence, the account and asset,
-- and by how much its postings are too high: all of them, if it was posted twice.
-- Says: trade at seq {trade_seq}: {too_much} too much of {asset_index} is posted to account
-- {account_index} in {compartment}; it is settled twice, or not as its figures say
SELECT trade_seq, account_index, asset_index, compartment, sum(amount) AS too_much
FROM (
    SELECT CASE e.reference WHEN '' THEN e.settlement_seq
            ELSE CAST(substr(e.reference, 7) AS BIGINT) END AS trade_seq,
        p.account_index, p.asset_index, p.compartment, p.amount, 1 AS legs
    FROM postings AS p JOIN entries AS e ON e.entry_id = p.posting_id / 8
    WHERE e.kind = 7
    UNION ALL
    SELECT settlement_seq, buyer_index, 65535, 3, cash + buy_fee, -1 FROM trades
    WHERE posted_seq > 0
    UNION ALL
    SELECT settlement_seq, seller_index, 65535, 3, sell_fee - cash, -1 FROM trades
    WHERE posted_seq > 0
    UNION ALL
    SELECT settlement_seq, seller_index, product_index, 3, tonnes, -1 FROM trades
    WHERE posted_seq > 0
    UNION ALL
    SELECT settlement_seq, buyer_index, product_index, 3, -tonnes, -1 FROM trades
    WHERE posted_seq > 0
    UNION ALL
    SELECT settlement_seq, -3, 65535, 1, -(buy_fee + sell_fee), -1 FROM trades
    WHERE posted_seq > 0
) AS counted
GROUP BY trade_seq, account_index, asset_index, compartment
HAVING sum(amount) <> 0 OR sum(legs) > 0
ORDER BY trade_seq, account_index;
