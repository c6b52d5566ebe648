-- Of a deduction no more is taken than it has, and no more goes back than was taken.
-- Rule: CEA-DIS-06
-- Must come out: nothing. A row names the deduction, whose it is, its tonnes and what was taken.
-- Says: deduction {deduction_id} of {account_index}: taken: expected within 0..{tonnes}, got {taken}
SELECT d.deduction_id, d.account_index, d.tonnes, sum(t.tonnes) AS taken
FROM deductions_taken AS t JOIN deductions AS d ON d.deduction_id = t.deduction_id
GROUP BY d.deduction_id, d.account_index, d.tonnes
HAVING sum(t.tonnes) < 0 OR sum(t.tonnes) > d.tonnes
ORDER BY d.deduction_id;
