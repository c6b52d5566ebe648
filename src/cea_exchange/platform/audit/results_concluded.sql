-- A verified result is what its entity's verification of that year concluded, and confirmed; its
-- versions follow each other.
-- Rule: CEA-VER-10
-- Must come out: nothing. A row names the result and what is wrong.
-- Says: result {result_id}: {wrong}
SELECT result_id, 'its version is ' || version || ', due was ' || due AS wrong
FROM (
    SELECT result_id, version, 1 + lag(version, 1, 0) OVER (
        PARTITION BY enterprise_id, compliance_year ORDER BY version
    ) AS due
    FROM verified_results
) AS in_order
WHERE version <> due
UNION ALL
SELECT r.result_id, 'conclusion ' || r.conclusion_id || ' says otherwise'
FROM verified_results AS r
LEFT JOIN conclusions AS c ON c.conclusion_id = r.conclusion_id
    AND c.tonnes = r.tonnes AND c.unit_emissions = r.unit_emissions
LEFT JOIN verifications AS v ON v.verification_id = c.verification_id
    AND v.enterprise_id = r.enterprise_id AND v.compliance_year = r.compliance_year
WHERE v.verification_id IS NULL
UNION ALL
SELECT r.result_id, 'verification ' || v.verification_id || ' is ' || v.state
FROM verified_results AS r
JOIN conclusions AS c ON c.conclusion_id = r.conclusion_id
JOIN verifications AS v ON v.verification_id = c.verification_id
WHERE v.state NOT IN ('confirmed', 'withdrawn')
ORDER BY 1, 2;
