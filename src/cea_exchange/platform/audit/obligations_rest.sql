-- Versions of an obligation follow each other. What an entity owes is what its verified result and
-- a final allocation say, and what it owes in another's place; all of the latter comes to nothing.
-- Rule: CEA-SUR-01, CEA-ENT-12
-- Must come out: nothing. A row names the obligation, or the year, and what is wrong.
-- Says: {of_what}: {wrong}
SELECT 'obligation ' || obligation_id AS of_what, 'its version is ' || version || ', due was '
    || due AS wrong
FROM (
    SELECT obligation_id, version, 1 + lag(version, 1, 0) OVER (
        PARTITION BY enterprise_id, compliance_year ORDER BY version
    ) AS due
    FROM obligations
) AS in_order
WHERE version <> due
UNION ALL
SELECT 'obligation ' || o.obligation_id, 'verified are ' || o.verified_tonnes
    || ' t by it, and result ' || o.result_id || ' says ' || coalesce(r.tonnes, 0) || ' t'
FROM obligations AS o
LEFT JOIN verified_results AS r ON r.result_id = o.result_id
    AND r.enterprise_id = o.enterprise_id AND r.compliance_year = o.compliance_year
WHERE o.verified_tonnes <> coalesce(r.tonnes, 0) OR (o.result_id > 0 AND r.result_id IS NULL)
UNION ALL
SELECT 'obligation ' || o.obligation_id, o.due_tonnes - o.succeeded_tonnes
    || ' t are due of its own, which no final allocation says'
FROM obligations AS o
WHERE (o.result_id = 0 AND o.due_tonnes <> o.succeeded_tonnes)
    OR (o.result_id > 0 AND NOT EXISTS (
        SELECT 1 FROM allocation_lines AS l JOIN allocations AS a USING (allocation_id)
        WHERE l.enterprise_id = o.enterprise_id AND l.result_id = o.result_id
            AND l.duty = o.due_tonnes - o.succeeded_tonnes AND l.emissions = o.verified_tonnes
            AND a.compliance_year = o.compliance_year AND a.stage <> 'pre'
            AND a.state IN ('distributed', 'recalled')
    ))
UNION ALL
SELECT 'year ' || compliance_year, 'owed in others'' places are ' || sum(succeeded_tonnes)
    || ' t in all'
FROM obligations AS o
WHERE version = (
    SELECT max(last.version) FROM obligations AS last
    WHERE last.enterprise_id = o.enterprise_id AND last.compliance_year = o.compliance_year
)
GROUP BY compliance_year
HAVING sum(succeeded_tonnes) <> 0
ORDER BY 1, 2;
