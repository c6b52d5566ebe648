-- What everybody holds by the ledger's postings is what the lots say, place by place.
-- Rule: CCER-LOT-04
-- Must come out: nothing. A row names the account, the instrument and the compartment, and the
-- tonnes of both sides.
-- Says: account {account_index}, {asset_index} in {compartment}: {in_lots} t are in lots, {posted} t
-- posted
SELECT account_index, asset_index, compartment, sum(in_lots) AS in_lots, sum(posted) AS posted
FROM (
    SELECT account_index, asset_index, compartment,
        serial_last - serial_first + 1 AS in_lots, 0 AS posted
    FROM lots
    UNION ALL
    SELECT account_index, asset_index, compartment, 0, amount FROM postings
    WHERE account_index <> -1
) AS counted
GROUP BY account_index, asset_index, compartment
HAVING sum(in_lots) <> sum(posted)
ORDER BY account_index, asset_index, compartment;
