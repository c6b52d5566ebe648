-- What the venue is asked for because of a recall is of a product that somebody owes a recall of.
-- Rule: CEA-DIS-11
-- Must come out: nothing. A row names the transfer, the account and the product.
-- Says: transfer {transfer_seq} of account {account_index} is for a recall of {asset_index}, there
-- is none
SELECT transfer_seq, account_index, asset_index
FROM transfers
WHERE direction = 'recall' AND NOT EXISTS (
    SELECT 1 FROM distributions AS g JOIN deductions AS d ON d.compliance_year = g.compliance_year
    WHERE d.cause = 'recall' AND g.product_index = transfers.asset_index
)
ORDER BY transfer_seq;
