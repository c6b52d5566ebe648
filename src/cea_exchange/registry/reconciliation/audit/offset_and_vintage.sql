-- Invariant 9: CCERs cover at most 5% of an obligation, allowances and CCERs never more than all of
-- it; each CCER was cancelled once; and before the deadline no vintage is later than the year it
-- pays for, but for what was borrowed from it.
-- Must come out: nothing. A row says what is wrong with which account's obligation, and the tonnes,
-- serial number or vintage.
SELECT 'offset above 5%' AS what, account_index, compliance_year, sum(tonnes) AS tonnes
FROM offset_proofs
WHERE revoked_on = 0
GROUP BY account_index, compliance_year
HAVING 20 * sum(tonnes) > (SELECT due_tonnes FROM obligations AS owed
    WHERE owed.account_index = offset_proofs.account_index
    AND owed.compliance_year = offset_proofs.compliance_year)
UNION ALL
SELECT 'covered above the obligation', account_index, compliance_year, sum(tonnes)
FROM (
    SELECT account_index, compliance_year, tonnes FROM offset_proofs WHERE revoked_on = 0
    UNION ALL
    SELECT account_index, compliance_year, tonnes FROM surrenders
    JOIN surrender_lines USING (surrender_id)
    WHERE state IN ('accepted', 'retired')
) AS covered
GROUP BY account_index, compliance_year
HAVING sum(tonnes) > (SELECT due_tonnes FROM obligations AS owed
    WHERE owed.account_index = covered.account_index
    AND owed.compliance_year = covered.compliance_year)
UNION ALL
SELECT 'CCER cancelled twice', one.account_index, one.compliance_year, one.serial_first
FROM offset_proofs AS one
JOIN offset_proofs AS other ON other.project = one.project AND other.proof <> one.proof
    AND other.serial_first <= one.serial_last AND other.serial_last >= one.serial_first
UNION ALL
SELECT 'vintage later than the year', account_index, compliance_year, vintage
FROM surrenders
JOIN surrender_lines USING (surrender_id)
WHERE state IN ('applied', 'accepted', 'retired') AND vintage > compliance_year
AND NOT (vintage = 2020 AND compliance_year = 2019)
AND surrender_id NOT IN (SELECT surrender_id FROM borrowings)
AND applied_on <= 10000 * (compliance_year + 1) + 1231;
