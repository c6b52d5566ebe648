-- Where the entries' day changes, `entry_days` says so.
-- Rule: CEA-REG-05
-- Must come out: nothing. A row names the entry where the two differ.
-- Says: entry {entry_id}: entry_days must say its day
SELECT coalesce(entry_id, first_entry) AS entry_id
FROM (
    SELECT entry_id, business_date FROM (
        SELECT entry_id, business_date,
            lag(business_date) OVER (ORDER BY entry_id) AS day_before
        FROM entries
    ) AS each_entry
    WHERE day_before IS NULL OR day_before <> business_date
) AS begun
FULL JOIN entry_days
    ON first_entry = entry_id AND entry_days.business_date = begun.business_date
WHERE entry_id IS NULL OR first_entry IS NULL
ORDER BY 1;
