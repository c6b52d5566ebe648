-- What the bank's statements show adds up to its closing balances; every pay-in it showed was booked
-- with its amount; and what is on its way out through the bank is what pay-outs are under way.
-- Must come out: nothing. A row names the sub-account, the bank's entry or the account, and by how
-- much it differs.
SELECT 'closing of ' || account AS what, sum(cash) AS too_much
FROM (
    SELECT account, closing AS cash FROM bank_accounts
    UNION ALL SELECT account, -cash FROM bank_entries
) AS shown
GROUP BY account HAVING sum(cash) <> 0
UNION ALL
SELECT 'pay-in ' || b.entry_ref, coalesce(e.amount, 0) - b.cash
FROM bank_pay_ins AS i
JOIN bank_entries AS b ON b.entry_ref = i.entry_ref
LEFT JOIN entries AS e ON e.entry_id = i.entry_id AND e.kind = 2
WHERE coalesce(e.amount, 0) <> b.cash
UNION ALL
SELECT 'banking of account ' || account_index, sum(cash)
FROM (
    SELECT account_index, amount AS cash FROM balances WHERE compartment = 6
    UNION ALL SELECT account_index, -cash FROM pay_outs WHERE state = 'begun'
) AS under_way
GROUP BY account_index HAVING sum(cash) <> 0;
