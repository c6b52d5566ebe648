-- The venue's records were kept run by run without a gap, up to the last that is settled.
-- Must come out: nothing. A row names the run that does not follow, or the last sequence that is
-- settled where the runs end elsewhere.
SELECT first_seq, due
FROM (
    SELECT first_seq,
        lag(first_seq + record_count, 1, 1) OVER (ORDER BY first_seq) AS due
    FROM settlement_runs
) AS runs
WHERE first_seq <> due
UNION ALL
SELECT last_seq, 0 FROM meta
WHERE last_seq <> (SELECT coalesce(max(first_seq + record_count - 1), 0) FROM settlement_runs);
