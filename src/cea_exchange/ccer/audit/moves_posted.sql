-- Every entry of the ledger moved as many serials as tonnes, from its first account to its second;
-- a lot is where its last move brought it; and what was not issued was somewhere before.
-- Rule: CCER-LOT-04
-- Must come out: nothing. A row names the entry or the lot, and what is wrong.
-- Says: {of_what}: {wrong}
SELECT 'entry ' || e.entry_id AS of_what,
    'its lots are ' || coalesce(sum(m.serial_last - m.serial_first + 1), 0) || ' t' AS wrong
FROM entries AS e LEFT JOIN lot_moves AS m ON m.entry_id = e.entry_id
GROUP BY e.entry_id, e.amount
HAVING e.amount <> coalesce(sum(m.serial_last - m.serial_first + 1), 0)
UNION ALL
SELECT 'entry ' || e.entry_id, 'a lot of move ' || m.move_id || ' went from or to another account'
FROM lot_moves AS m
JOIN entries AS e ON e.entry_id = m.entry_id
LEFT JOIN lot_moves AS before ON before.move_id = m.parent_id
WHERE m.account_index <> e.counter_index OR coalesce(before.account_index, -1) <> e.account_index
    OR (m.parent_id = 0) <> (e.kind = 1)
UNION ALL
SELECT 'entry ' || m.entry_id, 'move ' || m.move_id || ' is of an entry that is not there'
FROM lot_moves AS m LEFT JOIN entries AS e ON e.entry_id = m.entry_id
WHERE e.entry_id IS NULL
UNION ALL
SELECT 'lot ' || l.lot_id, 'it is not where its move ' || l.move_id || ' brought it'
FROM lots AS l LEFT JOIN lot_moves AS m ON m.move_id = l.move_id
WHERE m.move_id IS NULL OR m.account_index <> l.account_index OR m.compartment <> l.compartment
ORDER BY 1;
