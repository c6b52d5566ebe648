-- Invariant 1: of each vintage, what was issued is what accounts hold, wherever they hold it, and
-- what was retired, cancelled, recalled and carried over. No row must come out.
SELECT product, issued, held, retired, cancelled, recalled, carried_over
FROM (
    SELECT
        product,
        (SELECT coalesce(sum(amount), 0) FROM entries
            WHERE kind = 1 AND asset_index = product_index) AS issued,
        (SELECT coalesce(sum(amount), 0) FROM postings WHERE asset_index = product_index
            AND account_index NOT IN (-1, -6, -7, -8, -9)) AS held,
        (SELECT coalesce(sum(amount), 0) FROM postings
            WHERE asset_index = product_index AND account_index = -6) AS retired,
        (SELECT coalesce(sum(amount), 0) FROM postings
            WHERE asset_index = product_index AND account_index = -7) AS cancelled,
        (SELECT coalesce(sum(amount), 0) FROM postings
            WHERE asset_index = product_index AND account_index = -8) AS recalled,
        (SELECT coalesce(sum(amount), 0) FROM postings
            WHERE asset_index = product_index AND account_index = -9) AS carried_over
    FROM products
) AS compared
WHERE issued <> held + retired + cancelled + recalled + carried_over;
