-- What was borrowed was surrendered for that obligation, and is deducted, tonne for tonne.
-- Rule: CEA-BOR-02
-- Must come out: nothing. A row names the borrowing, its tonnes, and those of the other two.
-- Says: borrowing {borrowing_id}: {tonnes} must be surrendered and deducted, are {surrendered} and
-- {deducted}
SELECT borrowing_id, tonnes, surrendered, deducted
FROM (
    SELECT b.borrowing_id, b.tonnes, coalesce(l.tonnes, 0) AS surrendered,
        coalesce(d.tonnes, 0) AS deducted
    FROM borrowings AS b
    LEFT JOIN surrenders AS s ON s.surrender_id = b.surrender_id
        AND s.account_index = b.account_index AND s.compliance_year = b.compliance_year
        AND s.state IN ('accepted', 'retired')
    LEFT JOIN surrender_lines AS l ON l.surrender_id = s.surrender_id
        AND l.asset_index = b.product_index
    LEFT JOIN deductions AS d ON d.deduction_id = b.deduction_id AND d.cause = 'borrowed'
) AS compared
WHERE surrendered <> tonnes OR deducted <> tonnes
ORDER BY borrowing_id;
