-- What is on its way out through the bank (compartment 6) is what pay-outs are under way.
-- Rule: CEA-BNK-11
-- Must come out: nothing. A row names the account, and by how much too much is on its way.
-- Says: account {account_index}: in banking is {too_much} fen more than pay-outs are under way
SELECT account_index, sum(cash) AS too_much
FROM (
    SELECT account_index, amount AS cash FROM balances WHERE compartment = 6
    UNION ALL SELECT account_index, -cash FROM pay_outs WHERE state = 'begun'
) AS under_way
GROUP BY account_index HAVING sum(cash) <> 0
ORDER BY account_index;
