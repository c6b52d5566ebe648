-- What is fined in a case is what its decisions come to after the last rulings; what is paid is the
-- sum of its payments; instalments come to what was granted; and a payment is of who was fined.
-- Rule: CEA-LAW-24, CEA-LAW-25
-- Must come out: nothing. A row names the case and what is wrong.
-- Says: case {case_id}: {wrong}
WITH standing AS (
    SELECT d.decision_id, d.case_id, coalesce(r.fine_fen, d.fine_fen) AS fine_fen
    FROM case_decisions AS d
    LEFT JOIN case_rulings AS r ON r.ruling_id = (
        SELECT max(last.ruling_id) FROM case_rulings AS last
        WHERE last.decision_id = d.decision_id
    )
)
SELECT c.case_id, 'it is fined ' || c.fine_fen || ' fen, its decisions say '
    || coalesce(sum(s.fine_fen), 0) AS wrong
FROM cases AS c LEFT JOIN standing AS s ON s.case_id = c.case_id
GROUP BY c.case_id, c.fine_fen
HAVING c.fine_fen <> coalesce(sum(s.fine_fen), 0)
UNION ALL
SELECT c.case_id, 'it has ' || c.paid_fen || ' fen paid, its payments are '
    || coalesce(sum(p.fen), 0)
FROM cases AS c
LEFT JOIN case_decisions AS d ON d.case_id = c.case_id
LEFT JOIN case_payments AS p ON p.decision_id = d.decision_id
GROUP BY c.case_id, c.paid_fen
HAVING c.paid_fen <> coalesce(sum(p.fen), 0)
UNION ALL
SELECT d.case_id, 'payment ' || p.payment_id || ' is of ' || p.payer || ', who was not fined'
FROM case_payments AS p
JOIN case_decisions AS d ON d.decision_id = p.decision_id
LEFT JOIN case_persons AS fined ON fined.decision_id = p.decision_id AND fined.name = p.payer
WHERE p.payer <> '' AND fined.name IS NULL
UNION ALL
SELECT d.case_id, 'ruling ' || r.ruling_id || ' lets ' || r.fine_fen || ' fen of '
    || d.fine_fen || ' be ' || r.outcome
FROM case_rulings AS r JOIN case_decisions AS d ON d.decision_id = r.decision_id
WHERE r.fine_fen > d.fine_fen OR (r.outcome = 'revoked') <> (r.fine_fen = 0)
ORDER BY 1, 2;
