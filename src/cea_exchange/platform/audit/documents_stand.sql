-- Versions of a filing follow each other; a document stands where the last step of its latest
-- version left it; what counts of it was passed by city and province, or put in place by the nation.
-- Rule: CEA-MRV-08
-- Must come out: nothing. A row names the filing and what is wrong.
-- Says: filing {filing_id}: {wrong}
SELECT filing_id, 'its version is ' || version || ', due was ' || due AS wrong
FROM (
    SELECT filing_id, version, 1 + lag(version, 1, 0) OVER (
        PARTITION BY enterprise_id, kind, period, unit_id ORDER BY version
    ) AS due
    FROM filings
) AS in_order
WHERE version <> due
UNION ALL
SELECT f.filing_id, 'it is the latest version, the document is at '
    || coalesce(d.filing_id, 0)
FROM filings AS f
LEFT JOIN documents AS d ON d.kind = f.kind AND d.enterprise_id = f.enterprise_id
    AND d.unit_id = f.unit_id AND d.period = f.period
WHERE f.version = (
    SELECT max(last.version) FROM filings AS last
    WHERE last.kind = f.kind AND last.enterprise_id = f.enterprise_id
        AND last.unit_id = f.unit_id AND last.period = f.period
) AND (d.filing_id IS NULL OR d.filing_id <> f.filing_id)
UNION ALL
SELECT d.filing_id, 'the document is ' || d.state || ', its last step is '
    || coalesce(s.step, 'none')
FROM documents AS d
LEFT JOIN filing_steps AS s ON s.step_id = (
    SELECT max(last.step_id) FROM filing_steps AS last
    WHERE last.filing_id = d.filing_id AND last.step <> 'passed'
)
WHERE d.state <> coalesce(s.step, 'draft')
UNION ALL
SELECT d.accepted_id, 'it counts, and city and province have not passed it'
FROM documents AS d
WHERE d.accepted_id > 0 AND NOT EXISTS (
    SELECT 1 FROM filing_steps AS s
    WHERE s.filing_id = d.accepted_id AND s.step = 'accepted' AND s.level = 'nation'
) AND 2 > (
    SELECT count(DISTINCT s.level) FROM filing_steps AS s
    WHERE s.filing_id = d.accepted_id AND s.step = 'passed' AND s.level IN ('city', 'province')
)
ORDER BY 1, 2;
