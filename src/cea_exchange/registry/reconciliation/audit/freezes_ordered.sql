-- A freeze holds no more than the court ordered, less what it released and had deducted.
-- Rule: CEA-ENF-01
-- Must come out: nothing. A row names the freeze, and by how much it holds too much.
-- Says: freeze {freeze_id} holds {too_much} more than was ordered
SELECT freeze_id, in_force + released + deducted - ordered AS too_much
FROM freezes
WHERE state IN ('asked', 'in_force') AND in_force + released + deducted > ordered
ORDER BY freeze_id;
