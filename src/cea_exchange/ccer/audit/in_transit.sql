-- What is in transit is what set out for the exchange and was not answered yet.
-- Rule: CCER-LOT-04
-- Must come out: nothing. A row names the account and the instrument, and the tonnes of both sides.
-- Says: account {account_index}, {asset_index}: {pending} t are under way, {held} t in transit
SELECT account_index, asset_index, sum(pending) AS pending, sum(held) AS held
FROM (
    SELECT account_index, asset_index, tonnes AS pending, 0 AS held FROM market_transfers
    WHERE direction = 'in' AND state = 'pending'
    UNION ALL
    SELECT account_index, asset_index, 0, serial_last - serial_first + 1 FROM lots
    WHERE compartment = 2
) AS counted
GROUP BY account_index, asset_index
HAVING sum(pending) <> sum(held)
ORDER BY account_index, asset_index;
