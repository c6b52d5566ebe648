-- What the bank's statements show adds up to its closing balances.
-- Rule: CEA-BNK-04
-- Must come out: nothing. A row names the sub-account, and by how much it closes too high.
-- Says: sub-account {account}: its closing balance is {too_much} fen more than its entries
SELECT account, sum(cash) AS too_much
FROM (
    SELECT account, closing AS cash FROM bank_accounts
    UNION ALL SELECT account, -cash FROM bank_entries
) AS shown
GROUP BY account HAVING sum(cash) <> 0
ORDER BY account;
