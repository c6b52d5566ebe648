-- Every deduction of what was borrowed is of a borrowing.
-- Rule: CEA-BOR-02
-- Must come out: nothing. A row names the deduction.
-- Says: deduction {deduction_id} is of no borrowing there is
SELECT deduction_id FROM deductions
WHERE cause = 'borrowed' AND deduction_id NOT IN (SELECT deduction_id FROM borrowings)
ORDER BY deduction_id;
