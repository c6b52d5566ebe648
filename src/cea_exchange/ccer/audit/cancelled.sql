-- What is on the cancellation account (-7) are the serials of the cancellations that were done, each
-- of one of them only, and each of these has a certificate.
-- Rule: CCER-CAN-03
-- Must come out: nothing. A row names the cancellation, or the issue, and what is wrong.
-- Says: {of_what}: {wrong}
SELECT 'cancellation ' || c.cancellation_id AS of_what,
    'a serial from ' || l.serial_first || ' on is not cancelled' AS wrong
FROM cancellations AS c
JOIN cancellation_lots AS l ON l.cancellation_id = c.cancellation_id
WHERE c.state = 'done' AND l.serial_last - l.serial_first + 1 <> (
    SELECT coalesce(sum(
        CASE WHEN n.serial_last < l.serial_last THEN n.serial_last ELSE l.serial_last END
        - CASE WHEN n.serial_first > l.serial_first THEN n.serial_first ELSE l.serial_first END + 1
    ), 0)
    FROM lots AS n
    WHERE n.issue_number = l.issue_number AND n.account_index = -7
        AND n.serial_first <= l.serial_last AND n.serial_last >= l.serial_first
)
UNION ALL
SELECT 'issue ' || issue_number,
    'cancelled are ' || sum(certified) || ' t, and on the account ' || sum(held)
FROM (
    SELECT l.issue_number, l.serial_last - l.serial_first + 1 AS certified, 0 AS held
    FROM cancellation_lots AS l JOIN cancellations AS c ON c.cancellation_id = l.cancellation_id
    WHERE c.state = 'done'
    UNION ALL
    SELECT issue_number, 0, serial_last - serial_first + 1 FROM lots WHERE account_index = -7
) AS counted
GROUP BY issue_number
HAVING sum(certified) <> sum(held)
UNION ALL
SELECT 'cancellation ' || c.cancellation_id, 'it is of ' || c.tonnes || ' t, its serials of ' || sum(l.tonnes)
FROM cancellations AS c
JOIN (
    SELECT cancellation_id, serial_last - serial_first + 1 AS tonnes FROM cancellation_lots
) AS l ON l.cancellation_id = c.cancellation_id
GROUP BY c.cancellation_id, c.tonnes
HAVING c.tonnes <> sum(l.tonnes)
UNION ALL
SELECT 'cancellation ' || c.cancellation_id, 'it is done without a certificate, or the other way round'
FROM cancellations AS c LEFT JOIN certificates AS t ON t.cancellation_id = c.cancellation_id
WHERE (c.state = 'done') <> (t.certificate IS NOT NULL)
    OR coalesce(t.certificate, '') <> c.certificate
ORDER BY 1;
