-- Who owes a recall, or has taken over who does, holds nothing of its product in registration.
-- Rule: CEA-DIS-10, CEA-DIS-11
-- Must come out: nothing. A row names the account, the product, what it owes and what it holds.
-- Says: account {account_index} owes a recall of {owed} of {asset_index}, holds {held} in
-- registration
WITH RECURSIVE passed_on AS (
    SELECT c.account_index, a.account_index AS into_index
    FROM account_changes AS c JOIN accounts AS a ON a.account = c.became
    WHERE c.change = 'merged'
), owing AS (
    SELECT d.account_index AS owner_index, d.deduction_id,
        (SELECT min(product_index) FROM distributions AS g
            WHERE g.compliance_year = d.compliance_year) AS asset_index,
        d.tonnes - (SELECT coalesce(sum(t.tonnes), 0) FROM deductions_taken AS t
            WHERE t.deduction_id = d.deduction_id) AS tonnes
    FROM deductions AS d WHERE d.cause = 'recall'
), heirs AS (
    SELECT owner_index, owner_index AS heir_index FROM owing
    UNION
    SELECT h.owner_index, p.into_index
    FROM heirs AS h JOIN passed_on AS p ON p.account_index = h.heir_index
)
SELECT h.heir_index AS account_index, o.asset_index, sum(o.tonnes) AS owed, b.amount AS held
FROM owing AS o
JOIN heirs AS h ON h.owner_index = o.owner_index
    AND h.heir_index NOT IN (SELECT account_index FROM passed_on)
JOIN balances AS b
    ON b.account_index = h.heir_index AND b.asset_index = o.asset_index AND b.compartment = 1
WHERE o.tonnes > 0
GROUP BY h.heir_index, o.asset_index, b.amount
ORDER BY 1, 2;
