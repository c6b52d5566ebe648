-- What the risk reserve paid (25) and got back (26) for each default is what its entries moved.
-- Rule: CEA-DEF-02, CEA-DEF-03
-- Must come out: nothing. A row names the default and both sums.
-- Says: default {default_id}: the reserve paid {reserve_cash} and got back {recovered_cash}, posted
-- are {paid} and {recovered}
SELECT default_id, reserve_cash, recovered_cash, paid, recovered
FROM (
    SELECT default_id, reserve_cash, recovered_cash,
        (SELECT coalesce(sum(amount), 0) FROM entries
            WHERE kind = 25 AND reference = 'default ' || default_id) AS paid,
        (SELECT coalesce(sum(amount), 0) FROM entries
            WHERE kind = 26 AND reference = 'default ' || default_id) AS recovered
    FROM defaults WHERE reserve_cash > 0
) AS compared
WHERE reserve_cash <> paid OR recovered_cash <> recovered
ORDER BY default_id;
