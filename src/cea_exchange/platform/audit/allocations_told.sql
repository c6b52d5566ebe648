-- Of each allocation that was distributed, or recalled later, the registry was told.
-- Rule: CEA-PLK-01
-- Must come out: nothing. A row names the allocation and its state.
-- Says: allocation {allocation_id} is {state}, told are {told} items
SELECT a.allocation_id, a.state, count(t.link_seq) AS told
FROM allocations AS a LEFT JOIN link_allocations AS t ON t.allocation_id = a.allocation_id
GROUP BY a.allocation_id, a.state, a.tonnes
HAVING (a.state IN ('distributed', 'recalled') AND count(t.link_seq) = 0 AND EXISTS (
        SELECT 1 FROM allocation_lines AS l WHERE l.allocation_id = a.allocation_id
    ))
    OR (a.state IN ('computed', 'approved', 'withdrawn') AND count(t.link_seq) > 0)
ORDER BY 1;
