-- Each freeze has in force what its entries froze (kind 17), less what they released (18) and
-- deducted (19); and its figures are those of the orders that it is of. What owners have returned
-- is what was cancelled by the same order (purpose 'restitution').
-- Rule: CCER-FRZ-01, CCER-FRZ-02, CCER-REV-01
-- Must come out: nothing. A row names the freeze or the order, and what is wrong.
-- Says: {of_what}: {wrong}
SELECT 'freeze ' || f.freeze_id AS of_what,
    'its entries leave ' || coalesce(e.in_force, 0) || ' t in force, ' || coalesce(e.deducted, 0)
    || ' t deducted' AS wrong
FROM freezes AS f
LEFT JOIN (
    SELECT reference, sum(CASE kind WHEN 17 THEN amount ELSE -amount END) AS in_force,
        sum(CASE kind WHEN 19 THEN amount ELSE 0 END) AS deducted
    FROM entries WHERE kind IN (17, 18, 19) GROUP BY reference
) AS e ON e.reference = 'freeze ' || f.freeze_id
WHERE f.in_force <> coalesce(e.in_force, 0) OR f.deducted <> coalesce(e.deducted, 0)
UNION ALL
SELECT 'freeze ' || f.freeze_id, 'its orders are of ' || a.ordered || ' t, less ' || a.released
    || ' t released and ' || a.deducted || ' t deducted'
FROM freezes AS f
JOIN (
    SELECT freeze_id, sum(CASE act WHEN 'freeze' THEN tonnes ELSE 0 END) AS ordered,
        sum(CASE act WHEN 'release' THEN tonnes ELSE 0 END) AS released,
        sum(CASE act WHEN 'deduct' THEN tonnes ELSE 0 END) AS deducted
    FROM freeze_acts GROUP BY freeze_id
) AS a ON a.freeze_id = f.freeze_id
WHERE f.ordered <> a.ordered OR f.released <> a.released OR f.deducted <> a.deducted
UNION ALL
SELECT 'freeze ' || f.freeze_id, 'it is of another account or instrument than entry ' || e.entry_id
FROM freezes AS f
JOIN entries AS e ON e.reference = 'freeze ' || f.freeze_id AND e.kind IN (17, 18, 19)
WHERE e.account_index <> f.account_index OR e.asset_index <> f.asset_index
UNION ALL
SELECT 'order ' || document, 'returned are ' || sum(returned) || ' t, cancelled ' || sum(cancelled)
FROM (
    SELECT owner_index AS account_index, document, cancelled AS returned, 0 AS cancelled
    FROM restitutions
    UNION ALL
    SELECT account_index, why, 0, tonnes FROM cancellations WHERE purpose = 'restitution'
) AS counted
GROUP BY account_index, document
HAVING sum(returned) <> sum(cancelled)
ORDER BY 1;
