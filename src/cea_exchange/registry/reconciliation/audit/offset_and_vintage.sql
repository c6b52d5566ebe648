-- CCERs cover at most 5% of what an entity owes of its own, or what the authority set for its year; each was cancelled once; and before the deadline no
-- vintage is later than the year it pays for, but for what was borrowed from it.
-- Rule: CEA-OFS-01, CEA-OFS-05, CEA-SUR-03, CEA-ADJ-04
-- Must come out: nothing. A row says what is wrong with which account's obligation.
-- Says: {account_index}, year {compliance_year}: {wrong}
SELECT account_index, compliance_year,
    'CCERs: expected at most ' || (own_tonnes * share_bp / 10000) || ' t, got ' || tonnes AS wrong
FROM (
    SELECT account_index, compliance_year, due_tonnes - succeeded_tonnes AS own_tonnes, tonnes,
        coalesce((SELECT share_bp FROM offset_shares AS s
            WHERE s.compliance_year = obligations.compliance_year
            ORDER BY share_id DESC LIMIT 1), 500) AS share_bp
    FROM (
        SELECT account_index, compliance_year, sum(tonnes) AS tonnes FROM offset_proofs
        WHERE revoked_on = 0
        GROUP BY account_index, compliance_year
    ) AS offsets
    JOIN obligations USING (account_index, compliance_year)
) AS counted
WHERE tonnes * 10000 > own_tonnes * share_bp
UNION ALL
SELECT one.account_index, one.compliance_year,
    'CCER ' || one.serial_first || ' of ' || one.project || ' is cancelled twice'
FROM offset_proofs AS one
JOIN offset_proofs AS other ON other.project = one.project AND other.proof <> one.proof
    AND other.serial_first <= one.serial_last AND other.serial_last >= one.serial_first
UNION ALL
SELECT account_index, compliance_year, 'vintage ' || vintage || ' is later'
FROM surrenders
JOIN surrender_lines USING (surrender_id)
WHERE state IN ('applied', 'accepted', 'retired') AND vintage > compliance_year
AND NOT (vintage = 2020 AND compliance_year = 2019)
AND surrender_id NOT IN (SELECT surrender_id FROM borrowings)
AND applied_on <= 10000 * (compliance_year + 1) + 1231
ORDER BY 1, 2;
