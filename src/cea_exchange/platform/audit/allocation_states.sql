-- An allocation was approved by another person than the one who computed it, before it was
-- distributed; it is recalled if and only if somebody recalled it. A province has one allocation
-- under way of a year and stage, and one distributed, but for adjustments.
-- Rule: CEA-ENT-14, CEA-PLK-04
-- Must come out: nothing. A row names the allocation and what is wrong.
-- Says: allocation {allocation_id}: {wrong}
SELECT allocation_id, 'it is ' || state || ', approved by "' || approved_by || '", distributed on '
    || distributed_on AS wrong
FROM allocations
WHERE (state = 'computed' AND approved_by <> '')
    OR (state IN ('approved', 'distributed', 'recalled') AND approved_by = '')
    OR (state IN ('distributed', 'recalled')) <> (distributed_on > 0)
    OR (distributed_on > 0 AND distributed_on < computed_on)
UNION ALL
SELECT allocation_id, computed_by || ' computed it and approved it'
FROM allocations
WHERE approved_by = computed_by
UNION ALL
SELECT a.allocation_id, 'it is ' || a.state || ', recalled by '
    || coalesce(r.recalled_by, 'nobody') || ' on ' || coalesce(r.recalled_on, 0)
FROM allocations AS a LEFT JOIN allocation_recalls AS r ON r.allocation_id = a.allocation_id
WHERE (a.state = 'recalled') <> (r.allocation_id IS NOT NULL) OR r.recalled_on < a.distributed_on
UNION ALL
SELECT later.allocation_id,
    'allocation ' || earlier.allocation_id || ' of the same year and stage is ' || earlier.state
FROM allocations AS later
JOIN allocations AS earlier ON earlier.province = later.province
    AND earlier.compliance_year = later.compliance_year AND earlier.stage = later.stage
    AND earlier.allocation_id < later.allocation_id
WHERE later.state IN ('computed', 'approved', 'distributed')
    AND (earlier.state IN ('computed', 'approved')
        OR (earlier.state = 'distributed' AND earlier.stage <> 'adjustment'))
ORDER BY 1, 2;
