-- Of a deduction no more is taken than it has, and no more goes back than was taken; none that a
-- person withdrew is taken as well.
-- Rule: CEA-DIS-06, CEA-DIS-12
-- Must come out: nothing. A row names the deduction, whose it is, its tonnes and what was taken.
-- Says: deduction {deduction_id} of {account_index}: taken: expected within 0..{tonnes}, got {taken}
SELECT deduction_id, account_index, tonnes, taken
FROM (
    SELECT d.deduction_id, d.account_index, d.tonnes,
        (SELECT coalesce(sum(t.tonnes), 0) FROM deductions_taken AS t
            WHERE t.deduction_id = d.deduction_id) AS taken,
        (SELECT coalesce(sum(w.tonnes), 0) FROM deductions_withdrawn AS w
            WHERE w.deduction_id = d.deduction_id) AS withdrawn
    FROM deductions AS d
) AS counted
WHERE taken < 0 OR taken + withdrawn > tonnes
ORDER BY deduction_id;
