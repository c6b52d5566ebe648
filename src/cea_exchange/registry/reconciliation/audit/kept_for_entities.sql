-- A province keeps no less than nothing for anybody.
-- Rule: CEA-DIS-03, CEA-DIS-07
-- Must come out: nothing. A row names the province (-100 - its code), the product, the account.
-- Says: {province_index} holds {tonnes} of {asset_index} for {account_index}
SELECT -100 - province AS province_index, product_index AS asset_index, account_index,
    sum(tonnes) AS tonnes
FROM kept_changes
GROUP BY province, account_index, product_index
HAVING sum(tonnes) < 0
ORDER BY province, account_index;
