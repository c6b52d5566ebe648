-- A trade is posted (7) when its row says, with its day; one that failed is named by its entry as
-- late. A bust is posted (8) at once, or when it no longer had to wait.
-- Rule: CEA-STL-02, CEA-STL-05, CEA-STL-06, CEA-STL-07
-- Must come out: nothing. A row names the entry, when and of which day it is, and what it must be.
-- Says: {kind} (entry {entry_id}) is of seq {settlement_seq} and day {business_date}, by its record
-- of seq {seq_due} and day {date_due}
SELECT e.entry_id, e.kind, e.settlement_seq, e.business_date, t.posted_seq AS seq_due,
    t.trading_date AS date_due
FROM entries AS e
LEFT JOIN trades AS t
    ON t.settlement_seq = CASE e.reference WHEN '' THEN e.settlement_seq
        ELSE CAST(substr(e.reference, 7) AS BIGINT) END
WHERE e.kind = 7 AND (
    t.posted_seq IS NULL OR t.posted_seq <> e.settlement_seq OR t.trading_date <> e.business_date
    OR (e.reference = '' AND t.failure <> '')
)
UNION ALL
SELECT e.entry_id, e.kind, e.settlement_seq, e.business_date, b.seq_due, e.business_date
FROM entries AS e
LEFT JOIN (
    SELECT settlement_seq, coalesce((SELECT max(posted_seq) FROM postponed
        WHERE postponed.settlement_seq = busts.settlement_seq), settlement_seq) AS seq_due
    FROM busts WHERE reason = 0
) AS b
    ON b.settlement_seq = CASE e.reference WHEN '' THEN e.settlement_seq
        ELSE CAST(substr(e.reference, 8) AS BIGINT) END
WHERE e.kind = 8 AND (b.seq_due IS NULL OR b.seq_due <> e.settlement_seq)
ORDER BY 1;
