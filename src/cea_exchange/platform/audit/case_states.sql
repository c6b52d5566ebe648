-- A case is where its last step led it; one that a ruling left without a decision is revoked.
-- Rule: CEA-LAW-22, CEA-LAW-25
-- Must come out: nothing. A row names the case, its state and the one that its steps lead to.
-- Says: case {case_id}: it is {state}, its steps lead to {due}
WITH led AS (
    SELECT s.case_id, s.step_id, CASE
        WHEN s.step IN ('notice', 'notice_stop') THEN 'noticed'
        WHEN s.step = 'decide' THEN 'decided'
        WHEN s.step = 'serve' THEN 'served'
        WHEN s.step = 'drop' THEN 'dropped'
        WHEN s.step = 'close' THEN 'closed'
        WHEN s.step = 'open' THEN 'opened'
        ELSE 'revoked' END AS due
    FROM case_steps AS s
    WHERE s.step IN ('open', 'notice', 'notice_stop', 'decide', 'serve', 'drop', 'close')
        OR (s.step = 'ruling' AND s.fen = 0 AND NOT EXISTS (
            SELECT 1 FROM case_steps AS other
            WHERE other.case_id = s.case_id AND other.step = 'decide' AND other.step_id < s.step_id
                AND NOT EXISTS (
                    SELECT 1 FROM case_steps AS revoked
                    WHERE revoked.decision_id = other.decision_id AND revoked.step = 'ruling'
                        AND revoked.fen = 0 AND revoked.step_id <= s.step_id
                )
        ))
)
SELECT c.case_id, c.state, coalesce(l.due, 'none') AS due
FROM cases AS c
LEFT JOIN led AS l ON l.case_id = c.case_id AND l.step_id = (
    SELECT max(last.step_id) FROM led AS last WHERE last.case_id = c.case_id
)
WHERE c.state <> coalesce(l.due, 'none')
ORDER BY 1;
