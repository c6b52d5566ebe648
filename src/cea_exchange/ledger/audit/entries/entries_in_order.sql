-- Entries are numbered from 1 without a gap, and the settlement sequence they carry never falls.
-- Rule: CEA-REG-05
-- Must come out: nothing. A row names the entry before which one is missing, or where it falls.
-- Says: entry {entry_id} at seq {settlement_seq} comes after entry {entry_before} at seq
-- {seq_before}
SELECT entry_id, settlement_seq, entry_before, seq_before
FROM (
    SELECT entry_id, settlement_seq,
        lag(entry_id, 1, 0) OVER (ORDER BY entry_id) AS entry_before,
        lag(settlement_seq, 1, 0) OVER (ORDER BY entry_id) AS seq_before
    FROM entries
) AS pairs
WHERE entry_id <> entry_before + 1 OR settlement_seq < seq_before
ORDER BY entry_id;
