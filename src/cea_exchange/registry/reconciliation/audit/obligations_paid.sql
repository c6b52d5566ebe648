-- No obligation is paid more than once: by surrenders, applications, CCERs and deductions; and a
-- certificate is in force if all of it is covered and retired, and only then; none where
-- successors owe it all.
-- Rule: CEA-SUR-06, CEA-SUR-12
-- Must come out: nothing. A row says what is wrong with which account's obligation.
-- Says: {account_index}, year {compliance_year}: {wrong}
WITH paid (account_index, compliance_year, covered, unretired, others) AS (
    SELECT account_index, compliance_year,
        CASE state WHEN 'applied' THEN 0 ELSE tonnes END,
        CASE state WHEN 'accepted' THEN tonnes ELSE 0 END,
        CASE state WHEN 'applied' THEN tonnes ELSE 0 END
    FROM surrenders JOIN surrender_lines USING (surrender_id)
    WHERE state IN ('applied', 'accepted', 'retired')
    UNION ALL
    SELECT account_index, compliance_year, tonnes, 0, 0 FROM offset_proofs WHERE revoked_on = 0
    UNION ALL
    SELECT account_index, compliance_year, 0, 0, tonnes FROM unpaid_deductions
), standing AS (
    SELECT o.account_index, o.compliance_year, o.due_tonnes, coalesce(sum(covered), 0) AS covered,
        coalesce(sum(unretired), 0) AS unretired, coalesce(sum(others), 0) AS others
    FROM obligations AS o
    LEFT JOIN paid AS p
        ON p.account_index = o.account_index AND p.compliance_year = o.compliance_year
    GROUP BY o.account_index, o.compliance_year, o.due_tonnes
)
SELECT account_index, compliance_year, due_tonnes || ' t are owed, '
    || (covered + others - due_tonnes) || ' t more are paid' AS wrong
FROM standing WHERE covered + others > due_tonnes
UNION ALL
SELECT account_index, compliance_year,
    'a certificate must be in force if all is covered and retired'
FROM standing AS s
WHERE (due_tonnes > 0 AND covered = due_tonnes AND unretired = 0) <> EXISTS (
    SELECT 1 FROM certificates AS c
    WHERE c.account_index = s.account_index AND c.compliance_year = s.compliance_year
        AND c.revoked_on = 0
)
ORDER BY 1, 2;
