-- What was put into the risk reserve (43) is kept entry by entry, is the share of the fees that its
-- terms say, no fees shared twice, and never brought it above the registered capital of then; a
-- top-up shares no fees.
-- Rule: CEA-RSV-01, CEA-RSV-02
-- Must come out: nothing. A row names the entry and what is wrong.
-- Says: entry {entry_id}: {wrong}
SELECT e.entry_id, 'it is not kept as put into the reserve, or with another amount' AS wrong
FROM entries AS e
LEFT JOIN reserve_contributions AS c ON c.entry_id = e.entry_id
WHERE e.kind = 43 AND (c.cash IS NULL OR c.cash <> e.amount)
UNION ALL
SELECT c.entry_id, 'it brought the reserve above ' || capital || ' fen'
FROM reserve_contributions AS c JOIN reserve_terms AS t ON t.terms_id = c.terms_id
WHERE held_before + cash > capital
UNION ALL
SELECT c.entry_id, 'it is not the share of its fees, nor up to the registered capital'
FROM reserve_contributions AS c JOIN reserve_terms AS t ON t.terms_id = c.terms_id
WHERE fees_until > fees_from
    AND cash <> (fees_until - fees_from) * share_bp / 10000 AND held_before + cash <> capital
UNION ALL
SELECT c.entry_id, 'fees that were shared before'
FROM reserve_contributions AS c
WHERE EXISTS (
    SELECT 1 FROM reserve_contributions AS before
    WHERE before.entry_id < c.entry_id AND before.fees_until > c.fees_from
)
ORDER BY 1;
