-- What was retired (account -6), and what waits for it with the authority (account -5, compartment
-- 4), is what surrenders say, product by product.
-- Rule: CEA-SUR-09
-- Must come out: nothing. A row names the product and the sums of both sides.
-- Says: {product}: surrenders say {retired} retired and {accepted} accepted, accounts have
-- {retirement_account} and {authority_applied}
SELECT product, retired, retirement_account, accepted, authority_applied
FROM (
    SELECT
        product,
        (SELECT coalesce(sum(line.tonnes), 0) FROM surrender_lines AS line
            JOIN surrenders AS act ON act.surrender_id = line.surrender_id
            WHERE line.asset_index = product_index AND act.state = 'retired') AS retired,
        (SELECT coalesce(sum(amount), 0) FROM balances
            WHERE account_index = -6 AND asset_index = product_index) AS retirement_account,
        (SELECT coalesce(sum(line.tonnes), 0) FROM surrender_lines AS line
            JOIN surrenders AS act ON act.surrender_id = line.surrender_id
            WHERE line.asset_index = product_index AND act.state = 'accepted') AS accepted,
        (SELECT coalesce(sum(amount), 0) FROM balances
            WHERE account_index = -5 AND compartment = 4 AND asset_index = product_index)
            AS authority_applied
    FROM products
) AS compared
WHERE retired <> retirement_account OR accepted <> authority_applied;
