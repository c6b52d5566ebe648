-- Every entry has a cause that may bring it, and is what that asks for: an act of a kind that moves
-- such value, of the act's day, account, product and amount where it names one; or a settlement
-- record (act 0). Where a registry has persons, nothing is done by a program on its own.
-- Rule: CEA-REG-07
-- Must come out: nothing. A row names the entry, or the act, and what is wrong.
-- Says: entry {entry_id} of act {act_id}: {wrong}
WITH named (op, kind) AS (VALUES
    ('allocation_issue', 1), ('allocation_reverse', 28), ('pay_in_reverse', 45),
    ('carryover_run', 1),
    ('carryover_run', 12), ('carryover_run', 16), ('pay_in', 2), ('reserve_fund', 2),
    ('transfer_in', 3), ('pay_out', 22), ('claim_pay', 27),
    ('account_merge', 21),
    ('platform_item', 1), ('platform_item', 9), ('platform_item', 21),
    ('allocation_distribute', 9), ('allocation_release', 9), ('borrow', 9), ('borrow', 11),
    ('borrow', 13),
    ('surrender_apply', 11), ('surrender_withdraw', 12), ('surrender_reject', 12),
    ('surrender_accept', 13), ('surrender_retire', 14), ('surrender_force', 11),
    ('surrender_force', 13), ('surrender_force', 9),
    ('cancellation_apply', 11), ('legal_transfer_apply', 11), ('disposition_refuse', 12),
    ('disposition_approve', 15), ('disposition_approve', 20),
    ('carryover_apply', 11), ('carryover_withdraw', 12),
    ('freeze_release', 18), ('freeze_deduct', 19), ('day_begun', 18),
    ('reserve_use', 25), ('reserve_recover', 26),
    ('reserve_contribute', 43), ('reserve_top_up', 43), ('proceeds_book', 44)
), bank_said (op) AS (VALUES
    ('bank_report'), ('bank_statement'), ('bank_retry'), ('bank_answered'), ('bank_stated')
), posts_late (op) AS (VALUES
    ('default_retry'), ('reserve_use')
), brings (kind) AS (VALUES -- pay-ins and pay-outs, and what the cash that is there lets happen
    (2), (6), (7), (8), (21), (23), (24), (25)
), may (op, kind) AS (
    SELECT op, kind FROM named
    UNION ALL
    SELECT op, kind FROM bank_said CROSS JOIN brings
    UNION ALL
    SELECT op, kind FROM posts_late CROSS JOIN (SELECT 6 AS kind UNION SELECT 7 UNION SELECT 8) AS k
), one_amount (op, kind) AS (VALUES
    ('allocation_issue', 1), ('allocation_reverse', 28), ('pay_in', 2), ('transfer_in', 3),
    ('pay_in_reverse', 45), ('pay_out', 22), ('reserve_fund', 2), ('reserve_recover', 26), ('reserve_top_up', 43), ('freeze_deduct', 19)
)
SELECT e.entry_id, e.act_id, 'its act is not there' AS wrong
FROM entries AS e LEFT JOIN acts AS a ON a.act_id = e.act_id
WHERE e.act_id > 0 AND a.act_id IS NULL
UNION ALL
SELECT e.entry_id, 0, 'no settlement record brings such an entry'
FROM entries AS e
WHERE e.act_id = 0 AND e.kind NOT IN (4, 5, 6, 7, 8)
    AND NOT (e.kind IN (10, 17) AND EXISTS (
        SELECT 1 FROM entries AS arrived
        WHERE arrived.settlement_seq = e.settlement_seq AND arrived.entry_id < e.entry_id
            AND arrived.act_id = 0 AND arrived.kind IN (5, 6)
    ))
UNION ALL
SELECT e.entry_id, e.act_id, a.op || ' does not bring such an entry'
FROM entries AS e JOIN acts AS a ON a.act_id = e.act_id
WHERE a.op <> 'library' AND e.kind NOT IN (10, 17) -- courts and recalls take whatever arrives
    AND NOT EXISTS (SELECT 1 FROM may WHERE may.op = a.op AND may.kind = e.kind)
UNION ALL
SELECT e.entry_id, e.act_id, 'its day is not the act''s'
FROM entries AS e JOIN acts AS a ON a.act_id = e.act_id
WHERE a.op <> 'library' AND e.kind NOT IN (6, 7, 8, 10, 17) AND e.business_date <> a.business_date
UNION ALL
SELECT coalesce(e.entry_id, 0), a.act_id, 'the act asks for another amount, product or account'
FROM acts AS a
JOIN one_amount ON one_amount.op = a.op
LEFT JOIN entries AS e ON e.act_id = a.act_id AND e.kind = one_amount.kind
LEFT JOIN products AS p ON p.product_index = e.asset_index
WHERE a.amount > 0
    AND (e.entry_id IS NULL OR e.amount <> a.amount
        OR (a.product <> '' AND coalesce(p.product, '') <> a.product)
        OR (a.account <> '' AND NOT EXISTS (
            SELECT 1 FROM accounts AS named WHERE named.account = a.account
                AND named.account_index IN (e.account_index, e.counter_index)
        )))
UNION ALL
SELECT 0, a.act_id, 'the act asks for one entry, and brought ' || count(*)
FROM acts AS a
JOIN one_amount ON one_amount.op = a.op
JOIN entries AS e ON e.act_id = a.act_id AND e.kind = one_amount.kind
WHERE a.amount > 0
GROUP BY a.act_id
HAVING count(*) > 1
UNION ALL
SELECT e.entry_id, e.act_id, 'a trade is of no one account, product and amount'
FROM entries AS e
WHERE e.kind = 7
    AND (e.account_index <> 0 OR e.counter_index <> 0 OR e.asset_index <> 0 OR e.amount <> 0)
UNION ALL
SELECT s.entry_id, e.act_id, 'the balances kept at it are of another day or record'
FROM snapshots AS s
JOIN entries AS e ON e.entry_id = s.entry_id
LEFT JOIN entries AS following ON following.entry_id = s.entry_id + 1
WHERE s.business_date <> e.business_date OR s.settlement_seq < e.settlement_seq
    OR s.settlement_seq > following.settlement_seq
UNION ALL
SELECT 0, a.act_id, 'a program acted without a person'
FROM acts AS a
WHERE a.op = 'library' AND a.act_id > (SELECT min(after_act) FROM role_settings)
ORDER BY 1, 2;
