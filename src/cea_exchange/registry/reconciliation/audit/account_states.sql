-- Every account is in the state, and of the name, that its changes end with.
-- Rule: CEA-ACC-03, CEA-ACC-04, CEA-ACC-05
-- Must come out: nothing. A row names the account, its state and name, and those of its changes.
-- Says: account {account_index}: its changes end with {state_due}, {entity_due}; it is {state},
-- {entity}
SELECT account_index, state, state_due, entity, entity_due
FROM (
    SELECT account_index, state, entity,
        coalesce((
            SELECT CASE WHEN change IN ('opened', 'restored') THEN 'open' ELSE change END
            FROM account_changes AS c
            WHERE c.account_index = accounts.account_index
                AND change IN ('opened', 'suspended', 'restored', 'merged', 'closed')
            ORDER BY change_id DESC LIMIT 1
        ), 'none') AS state_due,
        coalesce((
            SELECT became FROM account_changes AS c
            WHERE c.account_index = accounts.account_index AND change IN ('opened', 'renamed')
            ORDER BY change_id DESC LIMIT 1
        ), '') AS entity_due
    FROM accounts WHERE account_index >= 0
) AS compared
WHERE state <> state_due OR entity <> entity_due
ORDER BY account_index;
