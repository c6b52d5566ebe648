-- Every posting belongs to an entry. (The schema does not make it: a look-up for each posting would
-- cost settling more than this check.)
-- Rule: CEA-STL-01
-- Must come out: nothing. A row is a posting without an entry.
-- Says: posting {posting_id} of account {account_index} belongs to entry {entry_id}, which is not
-- there
SELECT posting_id, account_index, posting_id / 8 AS entry_id
FROM postings AS p
WHERE NOT EXISTS (SELECT 1 FROM entries AS e WHERE e.entry_id = p.posting_id / 8)
ORDER BY posting_id;
