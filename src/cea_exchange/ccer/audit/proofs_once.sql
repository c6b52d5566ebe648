-- A serial is of one proof at most, which is of a cancellation for the national market; the proofs
-- of such a cancellation are all of its serials; and what was sent of them is a chain without a gap.
-- Rule: CCER-LNK-01, CCER-LNK-02
-- Must come out: nothing. A row names the proof or the cancellation, and what is wrong.
-- Says: {of_what}: {wrong}
SELECT 'proof ' || one.proof AS of_what, 'it has a serial of ' || other.proof AS wrong
FROM proofs AS one
JOIN proofs AS other ON other.issue_number = one.issue_number AND other.proof <> one.proof
    AND other.serial_first <= one.serial_last AND other.serial_last >= one.serial_first
UNION ALL
SELECT 'cancellation ' || c.cancellation_id,
    'its proofs are of ' || coalesce(sum(p.tonnes), 0) || ' t'
FROM cancellations AS c
LEFT JOIN (
    SELECT cancellation_id, beneficiary, compliance_year,
        serial_last - serial_first + 1 AS tonnes FROM proofs
) AS p ON p.cancellation_id = c.cancellation_id
    AND p.beneficiary = c.beneficiary AND p.compliance_year = c.compliance_year
WHERE c.state = 'done'
GROUP BY c.cancellation_id, c.purpose, c.tonnes
HAVING coalesce(sum(p.tonnes), 0) <> CASE c.purpose WHEN 'national_ets' THEN c.tonnes ELSE 0 END
UNION ALL
SELECT 'proof ' || p.proof, 'it was never told, or is reversed and that was never told'
FROM proofs AS p
WHERE NOT EXISTS (SELECT 1 FROM proof_stream AS s WHERE s.proof = p.proof AND s.kind = 'issued')
    OR (p.state = 'reversed') <> EXISTS (
        SELECT 1 FROM proof_stream AS s WHERE s.proof = p.proof AND s.kind = 'reversed'
    )
UNION ALL
SELECT 'proof ' || proof, 'it is told as item ' || proof_seq || ', due was ' || due
FROM (
    SELECT proof, proof_seq, 1 + lag(proof_seq, 1, 0) OVER (ORDER BY proof_seq) AS due
    FROM proof_stream
) AS in_order
WHERE proof_seq <> due
ORDER BY 1;
