-- No serial number is in two places, and none is lost: the lots of an issue follow each other from 1
-- on, without a gap or an overlap, to the tonnes that were issued.
-- Rule: CCER-LOT-01, CCER-LOT-04
-- Must come out: nothing. A row names the issue, the lot, the serial it begins with and the one that
-- was due; or, of lot 0, the last serial that is somewhere and the last that was issued.
-- Says: issue {issue_number}: lot {lot_id} begins with serial {serial_first}, due was {due}
SELECT issue_number, lot_id, serial_first, due
FROM (
    SELECT issue_number, lot_id, serial_first, 1 + lag(serial_last, 1, 0) OVER (
        PARTITION BY issue_number ORDER BY serial_first, serial_last
    ) AS due
    FROM lots
) AS in_order
WHERE serial_first <> due
UNION ALL
SELECT coalesce(i.issue_number, l.issue_number), 0, coalesce(l.serial_last, 0),
    coalesce(i.tonnes, 0)
FROM issues AS i
FULL JOIN (
    SELECT issue_number, max(serial_last) AS serial_last FROM lots GROUP BY issue_number
) AS l ON l.issue_number = i.issue_number
WHERE coalesce(l.serial_last, 0) <> coalesce(i.tonnes, 0)
ORDER BY 1, 2;
