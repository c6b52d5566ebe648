-- Each application for a cancellation, each decision on one, and each transfer has its entry, of its
-- account, instrument, tonnes and day; and each such entry has its application, decision or
-- transfer. Only a forfeit that a record of the exchange brings about (act 0) may be entered on that
-- record's day, before the day of the certificate.
-- Rule: CCER-CAN-03, CCER-TRF-01
-- Must come out: nothing. A row names the entry's reference and what is wrong.
-- Says: {of_what}: {wrong}
WITH due AS (
    SELECT 'cancellation ' || cancellation_id AS reference, 11 AS kind, account_index,
        account_index AS counter_index, asset_index, tonnes, applied_on AS business_date
    FROM cancellations WHERE purpose <> 'restitution'
    UNION ALL
    SELECT 'cancellation ' || cancellation_id,
        CASE WHEN state = 'refused' THEN 12 WHEN purpose = 'restitution' THEN 31 ELSE 15 END,
        account_index, CASE state WHEN 'refused' THEN account_index ELSE -7 END, asset_index,
        tonnes, decided_on
    FROM cancellations WHERE state <> 'applied'
    UNION ALL
    SELECT 'transfer ' || transfer_id, 11, account_index, account_index, asset_index, tonnes,
        business_date
    FROM lot_transfers
    UNION ALL
    SELECT 'transfer ' || transfer_id, 20, account_index, counter_index, asset_index, tonnes,
        business_date
    FROM lot_transfers
)
SELECT d.reference AS of_what,
    'its entry of kind ' || d.kind || ' is missing, or of other terms' AS wrong
FROM due AS d
LEFT JOIN entries AS e ON e.reference = d.reference AND e.kind = d.kind
    AND e.account_index = d.account_index AND e.counter_index = d.counter_index
    AND e.asset_index = d.asset_index AND e.amount = d.tonnes
    AND (
        e.business_date = d.business_date
        OR (e.kind = 31 AND e.act_id = 0 AND e.business_date < d.business_date)
    )
WHERE e.entry_id IS NULL
UNION ALL
SELECT 'entry ' || e.entry_id, 'it is of ' || e.reference || ', which is not in the books'
FROM entries AS e LEFT JOIN due AS d ON d.reference = e.reference AND d.kind = e.kind
WHERE e.kind IN (11, 12, 15, 20, 31) AND d.reference IS NULL
UNION ALL
SELECT 'cancellation ' || cancellation_id, 'its days do not fit its state'
FROM cancellations
WHERE (state = 'applied') <> (decided_on = 0)
    OR (purpose = 'restitution' AND decided_on <> applied_on)
    OR (decided_on > 0 AND decided_on < applied_on)
ORDER BY 1;
