-- A trade is settled, or failed for a reason, or busted where a record undid it.
-- Rule: CEA-STL-04, CEA-STL-05, CEA-STL-07
-- Must come out: nothing. A row names the trade, its parties, its state and what it must be.
-- Says: trade {trade_id} of accounts {buyer_index} and {seller_index}: its state is {state}, not
-- {state_due}
SELECT trade_id, buyer_index, seller_index, state, state_due
FROM (
    SELECT trade_id, buyer_index, seller_index, state,
        CASE WHEN settlement_seq IN (SELECT trade_seq FROM busts WHERE reason = 0) THEN 'busted'
            WHEN posted_seq > 0 THEN 'settled'
            WHEN failure <> '' THEN 'failed'
            ELSE 'received' END AS state_due
    FROM trades
) AS stood
WHERE state <> state_due
ORDER BY trade_id;
