-- All provinces together gave of a year and stage at most what the authority set.
-- Rule: CEA-PLN-32
-- Must come out: nothing. A row names the year and stage, what was given and the largest total.
-- Says: {stage} of {compliance_year}: {given} t are distributed, the authority set {total} t
SELECT a.compliance_year, a.stage, sum(a.tonnes) AS given, coalesce(t.total, 0) AS total
FROM allocations AS a
LEFT JOIN (
    SELECT compliance_year, stage, max(tonnes) AS total FROM allocation_totals
    GROUP BY compliance_year, stage
) AS t ON t.compliance_year = a.compliance_year AND t.stage = a.stage
WHERE a.state = 'distributed'
GROUP BY a.compliance_year, a.stage, t.total
HAVING t.total IS NULL OR sum(a.tonnes) > t.total
ORDER BY 1, 2;
