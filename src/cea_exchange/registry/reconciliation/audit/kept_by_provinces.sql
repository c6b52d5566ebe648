-- What a province has on its account (-100 - its code) it keeps for entities, all of it.
-- Rule: CEA-DIS-07
-- Must come out: nothing. A row names the province, the product and both sums.
-- Says: {province_index} holds {held} of {asset_index}, {kept} of them for entities
SELECT province_index, asset_index, sum(held) AS held, sum(kept) AS kept
FROM (
    SELECT -100 - province AS province_index, product_index AS asset_index, 0 AS held,
        tonnes AS kept
    FROM kept_changes
    UNION ALL
    SELECT account_index, asset_index, amount, 0 FROM balances
    WHERE compartment = 1
        AND account_index IN (SELECT account_index FROM accounts WHERE kind = 'province')
) AS counted
GROUP BY province_index, asset_index
HAVING sum(held) <> sum(kept)
ORDER BY province_index, asset_index;
