-- Of each batch that was issued, each generation year's tonnes are what was verified, at most what
-- was reported, and what the ledger issued (kind 1).
-- Rule: CCER-BAT-05
-- Must come out: nothing. A row names the batch, the generation year and the three figures.
-- Says: batch {batch_id}, generation year {generation_year}: {reported} t reported, {verified} t
-- verified, {issued} t issued
SELECT batch_id, generation_year, sum(reported) AS reported, sum(verified) AS verified,
    sum(issued) AS issued
FROM (
    SELECT t.batch_id, t.generation_year,
        CASE t.stage WHEN 'reported' THEN t.tonnes ELSE 0 END AS reported,
        CASE t.stage WHEN 'verified' THEN t.tonnes ELSE 0 END AS verified,
        0 AS issued
    FROM batch_tonnes AS t JOIN issues AS i ON i.batch_id = t.batch_id
    UNION ALL
    SELECT i.batch_id, p.generation_year, 0, 0, e.amount
    FROM entries AS e
    JOIN issues AS i ON e.reference = 'issue ' || i.issue_number
    JOIN products AS p ON p.product_index = e.asset_index
    WHERE e.kind = 1
) AS counted
GROUP BY batch_id, generation_year
HAVING sum(verified) <> sum(issued) OR sum(verified) > sum(reported)
UNION ALL
SELECT i.batch_id, 0, i.tonnes, sum(t.tonnes), 0
FROM issues AS i JOIN batch_tonnes AS t ON t.batch_id = i.batch_id AND t.stage = 'verified'
GROUP BY i.batch_id, i.tonnes
HAVING i.tonnes <> sum(t.tonnes)
ORDER BY 1, 2;
