-- What a move brought somewhere is there still or left by later moves, each serial once: so every
-- serial has been in one place at every moment, and its pedigree leads to its issue.
-- Rule: CCER-LOT-04
-- Must come out: nothing. A row names the move, the serial with which a part of it begins and the
-- one that was due; or, of part 0, how many serials of it there are and how many there must be.
-- Says: move {move_id}: a part begins with serial {serial_first}, due was {due}
WITH parts AS (
    SELECT parent_id AS move_id, issue_number, serial_first, serial_last FROM lot_moves
    WHERE parent_id > 0
    UNION ALL
    SELECT move_id, issue_number, serial_first, serial_last FROM lots
)
SELECT move_id, serial_first, due
FROM (
    SELECT m.move_id, p.serial_first, 1 + lag(p.serial_last, 1, m.serial_first - 1) OVER (
        PARTITION BY m.move_id ORDER BY p.serial_first, p.serial_last
    ) AS due
    FROM parts AS p JOIN lot_moves AS m ON m.move_id = p.move_id
    AND m.issue_number = p.issue_number
) AS in_order
WHERE serial_first <> due
UNION ALL
SELECT m.move_id, 0, m.serial_last - m.serial_first + 1 - coalesce(sum(p.tonnes), 0)
FROM lot_moves AS m
LEFT JOIN (
    SELECT move_id, issue_number, serial_last - serial_first + 1 AS tonnes FROM parts
) AS p ON p.move_id = m.move_id AND p.issue_number = m.issue_number
GROUP BY m.move_id, m.serial_first, m.serial_last
HAVING m.serial_last - m.serial_first + 1 <> coalesce(sum(p.tonnes), 0)
ORDER BY 1, 2;
