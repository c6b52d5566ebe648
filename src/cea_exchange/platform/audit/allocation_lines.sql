-- An allocation is of as many tonnes as its lines together. Each line rests on a verified result of
-- its entity, has what that says was emitted, and, of a final allocation, is of the result's year.
-- Rule: CEA-PLN-26, CEA-VER-10
-- Must come out: nothing. A row names the allocation and what is wrong.
-- Says: allocation {allocation_id}: {wrong}
SELECT a.allocation_id, 'it is of ' || a.tonnes || ' t, its lines of ' || coalesce(sum(l.tonnes), 0)
    || ' t' AS wrong
FROM allocations AS a LEFT JOIN allocation_lines AS l ON l.allocation_id = a.allocation_id
GROUP BY a.allocation_id, a.tonnes
HAVING a.tonnes <> coalesce(sum(l.tonnes), 0)
UNION ALL
SELECT a.allocation_id, 'line ' || l.line_id || ' does not have the figures of verified result '
    || l.result_id
FROM allocation_lines AS l
JOIN allocations AS a ON a.allocation_id = l.allocation_id
LEFT JOIN verified_results AS r ON r.result_id = l.result_id
WHERE r.result_id IS NULL OR r.enterprise_id <> l.enterprise_id OR r.tonnes <> l.emissions
    OR (a.stage <> 'pre' AND r.compliance_year <> a.compliance_year)
ORDER BY 1, 2;
