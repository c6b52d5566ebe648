-- What was decided, ruled, paid and granted in a case was each a step of it, of the same day and
-- figures; and no such step came to nothing.
-- Rule: CEA-LAW-22, CEA-LAW-24, CEA-LAW-25
-- Must come out: nothing. A row names the case and what is wrong.
-- Says: case {case_id}: {wrong}
WITH noted AS (
    SELECT case_id, decision_id, 'decide' AS step, decided_on AS day, fine_fen AS fen, tonnes,
        '' AS payer, 1 AS place
    FROM case_decisions
    UNION ALL
    SELECT d.case_id, r.decision_id, 'ruling', r.ruled_on, r.fine_fen, 0, '',
        row_number() OVER (PARTITION BY r.decision_id ORDER BY r.ruling_id)
    FROM case_rulings AS r JOIN case_decisions AS d ON d.decision_id = r.decision_id
    UNION ALL
    SELECT d.case_id, p.decision_id, 'pay', p.paid_on, p.fen, 0, p.payer,
        row_number() OVER (PARTITION BY p.decision_id ORDER BY p.payment_id)
    FROM case_payments AS p JOIN case_decisions AS d ON d.decision_id = p.decision_id
    UNION ALL
    SELECT d.case_id, p.decision_id, 'instalments', 0, sum(p.fen), 0, '', 1
    FROM case_parts AS p JOIN case_decisions AS d ON d.decision_id = p.decision_id
    GROUP BY d.case_id, p.decision_id
),
stepped AS (
    SELECT case_id, decision_id, step, CASE step WHEN 'instalments' THEN 0 ELSE day END AS day,
        fen, tonnes, CASE step WHEN 'pay' THEN words ELSE '' END AS payer,
        row_number() OVER (PARTITION BY decision_id, step ORDER BY step_id) AS place
    FROM case_steps
    WHERE step IN ('decide', 'ruling', 'pay', 'instalments')
)
SELECT coalesce(n.case_id, s.case_id) AS case_id,
    coalesce(n.step, s.step) || ' of decision ' || coalesce(n.decision_id, s.decision_id)
    || CASE WHEN s.step IS NULL THEN ' has no step' WHEN n.step IS NULL THEN ' is a step alone'
        ELSE ' is of ' || n.fen || ' fen on ' || n.day || ', its step of ' || s.fen || ' fen on '
            || s.day END AS wrong
FROM noted AS n
FULL JOIN stepped AS s ON s.case_id = n.case_id AND s.decision_id = n.decision_id
    AND s.step = n.step AND s.place = n.place
WHERE n.step IS NULL OR s.step IS NULL OR n.fen <> s.fen OR n.day <> s.day
    OR n.tonnes <> s.tonnes OR n.payer <> s.payer
UNION ALL
SELECT c.case_id, 'it is short of ' || c.shortfall || ' t, it was opened for '
    || coalesce(sum(s.tonnes), 0) || ' t on ' || coalesce(min(s.day), 0)
FROM cases AS c LEFT JOIN case_steps AS s ON s.case_id = c.case_id AND s.step = 'open'
GROUP BY c.case_id, c.shortfall, c.opened_on
HAVING count(s.step_id) <> 1 OR min(s.tonnes) <> c.shortfall OR min(s.day) <> c.opened_on
ORDER BY 1, 2;
