-- Every other entry moves what its kind moves, between accounts that its kind moves it between.
-- Rule: CEA-STL-01
-- Must come out: nothing. A row is an entry that should not be.
-- Says: entry {entry_id} must not move {amount} of {asset_index} from {account_index} to
-- {counter_index}: it is {kind}
SELECT entry_id, kind, account_index, counter_index, asset_index, amount
FROM entries
WHERE kind NOT IN (7, 8) AND (
    (kind NOT BETWEEN 1 AND 31 AND kind NOT IN (43, 44, 45))
    OR amount <= 0
    OR account_index BETWEEN -9 AND -6 -- what is there has left circulation
    -- Cash only, and allowances only.
    OR (kind IN (2, 22, 23, 24, 25, 26, 43, 44, 45) AND asset_index <> 65535)
    OR (kind IN (1, 9, 10, 11, 12, 13, 14, 15, 16, 20, 28, 29, 30, 31) AND asset_index = 65535)
    -- Within one account; all else is between two.
    OR (kind IN (3, 4, 5, 6, 11, 12, 17, 18, 22, 24, 29, 30)) <> (account_index = counter_index)
    -- From, and to, one institution only.
    OR (kind = 1 AND account_index <> -1)
    OR (kind = 2 AND account_index <> -2)
    OR (kind IN (14, 28) AND account_index <> -5)
    OR (kind = 25 AND account_index <> -4)
    OR (kind = 43 AND account_index <> -3)
    OR (kind = 28 AND counter_index <> -1)
    OR (kind IN (23, 45) AND counter_index <> -2)
    OR (kind IN (26, 43) AND counter_index <> -4)
    OR (kind = 44 AND counter_index <> -20)
    OR (kind = 14 AND counter_index <> -6)
    OR (kind IN (15, 31) AND counter_index <> -7)
    OR (kind = 16 AND counter_index <> -9)
)
ORDER BY entry_id;
