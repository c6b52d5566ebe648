-- Items for the registry, its verdicts on them, and what it completed are numbered without gaps.
-- Rule: CEA-PLK-01, CEA-PLK-02, CEA-PLK-07
-- Must come out: nothing. A row names the number and the one that was due.
-- Says: {of_what} {number} comes, due was {due}
SELECT of_what, number, due
FROM (
    SELECT 'item' AS of_what, link_seq AS number,
        1 + lag(link_seq, 1, 0) OVER (ORDER BY link_seq) AS due
    FROM link_items
    UNION ALL
    SELECT 'verdict', link_seq, 1 + lag(link_seq, 1, 0) OVER (ORDER BY link_seq)
    FROM link_verdicts
    UNION ALL
    SELECT 'completion', completion_seq,
        1 + lag(completion_seq, 1, 0) OVER (ORDER BY completion_seq)
    FROM completions
) AS in_order
WHERE number <> due
ORDER BY 1, 2;
