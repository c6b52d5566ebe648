-- An account that was merged or closed holds nothing.
-- Rule: CEA-ACC-05
-- Must come out: nothing. A row names the account and what it holds.
-- Says: account {account_index} is {state} and holds {amount} of {asset_index}
SELECT accounts.account_index, state, asset_index, amount
FROM balances JOIN accounts ON accounts.account_index = balances.account_index
WHERE state IN ('merged', 'closed')
ORDER BY accounts.account_index, asset_index;
