-- Every other entry takes its amount from the first account and gives it to the second, from and to
-- the compartments of its kind (protocol/ledger.md), and moves nothing else, not even back again.
-- Rule: CEA-STL-01
-- Must come out: nothing. A row names the entry and the holding, and by how much its postings are
-- too high.
-- Says: {kind} (entry {entry_id}): {too_much} too much of {asset_index} is posted to account
-- {account_index} in {compartment}
WITH ways (kind, source, target) AS (VALUES
    (1, 0, 1), (2, 0, 1), (3, 1, 2), (4, 2, 3), (5, 2, 1), (6, 3, 1), (9, 1, 1), (10, 1, 1),
    (11, 1, 4), (12, 4, 1), (13, 4, 4), (14, 4, 1), (15, 4, 1), (16, 4, 1), (17, 1, 5), (18, 5, 1),
    (19, 5, 1), (20, 4, 1), (21, 1, 1), (22, 1, 6), (23, 6, 0), (24, 6, 1), (25, 1, 1), (26, 1, 1),
    (27, 1, 1), (28, 1, 0), (29, 1, 7), (30, 7, 1), (31, 7, 1),
    (32, 3, 3), (43, 1, 1), (44, 1, 1), (45, 1, 0)
), others AS (
    SELECT e.entry_id, e.kind, e.account_index, e.counter_index, e.asset_index, e.amount,
        ways.source, ways.target
    FROM entries AS e JOIN ways ON ways.kind = e.kind
)
SELECT entry_id, kind, account_index, asset_index, compartment, sum(amount) AS too_much
FROM (
    SELECT e.entry_id, e.kind, p.account_index, p.asset_index, p.compartment, p.amount,
        1 AS legs
    FROM postings AS p JOIN entries AS e ON e.entry_id = p.posting_id / 8
    WHERE e.kind NOT IN (7, 8)
    UNION ALL
    SELECT entry_id, kind, account_index, asset_index, source, amount, -1 FROM others
    UNION ALL
    SELECT entry_id, kind, counter_index, asset_index, target, -amount, -1 FROM others
) AS counted
GROUP BY entry_id, kind, account_index, asset_index, compartment
HAVING sum(amount) <> 0 OR sum(legs) > 0
ORDER BY entry_id, account_index;
