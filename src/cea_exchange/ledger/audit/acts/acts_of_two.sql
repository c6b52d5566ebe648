-- What was approved was done once, as it was asked, by two persons; and nothing else was.
-- Rule: CEA-REG-02
-- Must come out: nothing. A row says what is wrong with which act or proposal.
-- Says: {wrong}
WITH approved AS (
    SELECT p.proposal_id, op, request, proposer, proposer_key, person, person_key
    FROM proposals AS p JOIN decisions AS d ON d.proposal_id = p.proposal_id
    WHERE approved = 1
)
SELECT 'act ' || act_id || ' is not what proposal ' || proposal_id || ' was approved for' AS wrong
FROM acts
WHERE proposal_id > 0 AND (
    NOT EXISTS (
        SELECT 1 FROM approved
        WHERE approved.proposal_id = acts.proposal_id AND approved.op = acts.op
            AND approved.request = acts.request
            AND proposer = acts.person AND proposer_key = acts.person_key
            AND approved.person = second AND approved.person_key = second_key
    )
    OR EXISTS (
        SELECT 1 FROM acts AS before
        WHERE before.proposal_id = acts.proposal_id AND before.act_id < acts.act_id
    )
)
UNION ALL
SELECT 'act ' || act_id || ': ' || person || ' was the second person too'
FROM acts
WHERE proposal_id > 0 AND (person = second OR person_key = second_key)
UNION ALL
SELECT 'proposal ' || proposal_id || ' was approved and not done'
FROM approved
WHERE proposal_id NOT IN (SELECT proposal_id FROM acts);
