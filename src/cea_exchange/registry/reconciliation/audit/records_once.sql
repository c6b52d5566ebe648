-- The venue's records were kept run by run without a gap, up to the last that is settled.
-- Rule: CEA-STL-02
-- Must come out: nothing. A row says where the run that comes next is missing, or that the runs end
-- elsewhere.
-- Says: {wrong}
SELECT 'settlement record ' || due || ' is missing, ' || first_seq || ' comes next' AS wrong
FROM (
    SELECT first_seq,
        lag(first_seq + record_count, 1, 1) OVER (ORDER BY first_seq) AS due
    FROM settlement_runs
) AS runs
WHERE first_seq <> due
UNION ALL
SELECT 'last_seq is ' || last_seq || ', the last record is ' || record_last
FROM meta
CROSS JOIN (
    SELECT coalesce(max(first_seq + record_count - 1), 0) AS record_last FROM settlement_runs
) AS runs
WHERE last_seq <> record_last;
