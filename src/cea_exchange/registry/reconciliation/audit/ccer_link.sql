-- A proof of the CCER registry that is booked here counts as it was told, one that was reversed does
-- not, and what was told is numbered without a gap.
-- Rule: CCER-LNK-02, CCER-LNK-04
-- Must come out: nothing. A row names the proof, and what is wrong.
-- Says: proof {proof} {wrong}
SELECT p.proof, 'is booked and does not count for its account and year' AS wrong
FROM ccer_proofs AS p
WHERE p.state = 'booked' AND NOT EXISTS (
    SELECT 1 FROM offset_proofs AS o
    WHERE o.proof = p.proof AND o.compliance_year = p.compliance_year
)
UNION ALL
SELECT p.proof, 'is ' || p.state || ' and counts'
FROM ccer_proofs AS p JOIN offset_proofs AS o ON o.proof = p.proof
WHERE o.revoked_on = 0 AND p.state <> 'booked'
UNION ALL
SELECT p.proof, 'is booked and was never confirmed, or that was never told'
FROM ccer_proofs AS p
WHERE p.state = 'booked' AND (
    NOT EXISTS (SELECT 1 FROM ccer_claims AS c
        WHERE c.proof = p.proof AND c.step = 'reserve' AND c.answer IS NOT NULL)
    OR NOT EXISTS (SELECT 1 FROM ccer_claims AS c WHERE c.proof = p.proof AND c.step = 'use')
)
UNION ALL
SELECT coalesce(p.proof, ''), 'is of item ' || seq || ', due was ' || due
FROM (
    SELECT proof_seq AS seq, 1 + lag(proof_seq, 1, 0) OVER (ORDER BY proof_seq) AS due
    FROM ccer_items
) AS in_order
LEFT JOIN ccer_proofs AS p ON p.proof_seq = in_order.seq
WHERE seq <> due
ORDER BY 1;
