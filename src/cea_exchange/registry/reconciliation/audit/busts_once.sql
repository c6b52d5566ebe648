-- Every bust that undid a posted trade has one entry (kind 8) with the trade's legs the other way;
-- of one that could not, or whose trade was never posted, there is none, and none yet of one that
-- waits for trades that are not posted. A late one is named by its entry's reference.
-- Rule: CEA-STL-04
-- Must come out: nothing. A row names the bust by its settlement sequence, the account and asset,
-- and by how much its postings are too high.
-- Says: bust at seq {bust_seq}: {too_much} too much of {asset_index} is posted to account
-- {account_index} in {compartment}; it is settled twice, or not as its trade's figures say
WITH undone AS (
    SELECT b.settlement_seq AS bust_seq, t.buyer_index, t.seller_index, t.product_index, t.tonnes,
        t.cash, t.buy_fee, t.sell_fee
    FROM busts AS b JOIN trades AS t ON t.settlement_seq = b.trade_seq
    WHERE b.reason = 0 AND t.posted_seq > 0 AND t.posted_seq <= b.settlement_seq
        AND b.settlement_seq NOT IN (SELECT settlement_seq FROM postponed WHERE posted_seq = 0)
)
SELECT bust_seq, account_index, asset_index, compartment, sum(amount) AS too_much
FROM (
    SELECT CASE e.reference WHEN '' THEN e.settlement_seq
            ELSE CAST(substr(e.reference, 8) AS BIGINT) END AS bust_seq,
        p.account_index, p.asset_index, p.compartment, p.amount
    FROM postings AS p JOIN entries AS e ON e.entry_id = p.posting_id / 8
    WHERE e.kind = 8
    UNION ALL
    SELECT bust_seq, buyer_index, 65535, 3, -(cash + buy_fee) FROM undone
    UNION ALL
    SELECT bust_seq, seller_index, 65535, 3, cash - sell_fee FROM undone
    UNION ALL
    SELECT bust_seq, seller_index, product_index, 3, -tonnes FROM undone
    UNION ALL
    SELECT bust_seq, buyer_index, product_index, 3, tonnes FROM undone
    UNION ALL
    SELECT bust_seq, -3, 65535, 1, buy_fee + sell_fee FROM undone
) AS counted
GROUP BY bust_seq, account_index, asset_index, compartment
HAVING sum(amount) <> 0
ORDER BY bust_seq, account_index;
