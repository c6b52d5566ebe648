"""Changes of the platform's database by somebody who rewrites all hashes too."""

from support.ledger_attacks.verdicts import UNANCHORED, Attack

ATTACKS = [
    Attack("a line gives more", "UPDATE allocation_lines SET tonnes = tonnes + 1"),
    Attack(
        "line, allocation and total give more",
        "UPDATE allocation_lines SET tonnes = tonnes + 1;"
        "UPDATE allocations SET tonnes = tonnes + 1;"
        "UPDATE allocation_totals SET tonnes = tonnes + 1",
    ),
    Attack("the national total is higher", "UPDATE allocation_totals SET tonnes = 2 * tonnes"),
    Attack(
        "the allocation is approved by another person",
        "UPDATE allocations SET approved_by = 'Zhou Hua'",
    ),
    Attack(
        "the allocation is withdrawn",
        "UPDATE allocations SET state = 'withdrawn', distributed_on = 0",
    ),
    Attack("the enterprise is of another province", "UPDATE enterprises SET province = 44"),
    Attack(
        "the enterprise has another credit code",
        "UPDATE enterprises SET credit_code = '91310000MA1FL0001X'",
    ),
    Attack("the enterprise is called otherwise", "UPDATE enterprise_facts SET title = 'Power 9'"),
    Attack(
        "the unit is smaller", "UPDATE unit_facts SET facts = replace(facts, '600000', '300000')"
    ),
    Attack(
        "the verified result is lower",
        "UPDATE verified_results SET tonnes = tonnes - 1;"
        "UPDATE conclusions SET tonnes = tonnes - 1",
    ),
    Attack(
        "another person confirmed the result",
        "UPDATE verified_results SET confirmed_by = 'Qian Lan'",
    ),
    Attack("another person concluded", "UPDATE conclusions SET concluded_by = 'Wu Lan'"),
    Attack(
        "less is owed, of the result too",
        "UPDATE obligations SET due_tonnes = due_tonnes - 1,"
        " verified_tonnes = verified_tonnes - 1;"
        "UPDATE verified_results SET tonnes = tonnes - 1;"
        "UPDATE conclusions SET tonnes = tonnes - 1",
    ),
    Attack("the obligation is due later", "UPDATE obligations SET due_on = due_on + 10000"),
    Attack("the obligation is gone", "DELETE FROM obligations"),
    Attack("a filing is by another person", "UPDATE filings SET entered_by = 'Li Mei'"),
    Attack(
        "a step is by another person",
        "UPDATE filing_steps SET person = 'Chen Ye' WHERE step_id = 1",
    ),
    Attack(
        "the evidence is another document", "UPDATE evidence SET content = CAST('forged' AS BLOB)"
    ),
    Attack("the list has another cause", "UPDATE list_changes SET cause = 'applied'"),
    Attack(
        "an item of the link is another",
        "UPDATE link_items SET item = CAST(item || '0' AS BLOB) WHERE link_seq = 1",
    ),
    Attack("a verdict of the registry is another", "UPDATE link_verdicts SET is_posted = 0"),
    Attack("the registry's heads are gone", "DELETE FROM partner_heads"),
    Attack(
        "a head of the registry is another",
        "UPDATE partner_heads SET head = 'ab' WHERE link_id ="
        " (SELECT min(link_id) FROM partner_heads)",
    ),
    Attack(
        "the fine is lower, everywhere",
        "UPDATE case_decisions SET fine_fen = 5000000 WHERE decision_id = 1;"
        "UPDATE case_steps SET fen = 5000000 WHERE decision_id = 1 AND step = 'decide';"
        "UPDATE cases SET fine_fen = 5000000 WHERE case_id = 1",
    ),
    Attack(
        "more was paid",
        "UPDATE case_payments SET fen = fen + 1;"
        "UPDATE case_steps SET fen = fen + 1 WHERE step = 'pay';"
        "UPDATE cases SET paid_fen = paid_fen + 1 WHERE case_id = 1",
    ),
    Attack("an instalment is due later", "UPDATE case_parts SET due_on = due_on + 1"),
    Attack(
        "a case is dated earlier",
        "UPDATE cases SET opened_on = opened_on - 1, found_on = found_on - 1 WHERE case_id = 1",
    ),
    Attack(
        "a step of a case is by another person",
        "UPDATE case_steps SET person = 'Qian Lan' WHERE step_id = 1",
    ),
    Attack("a message says something else", "UPDATE messages SET words = 'nothing to do'"),
    Attack("the newest ruling is gone", "DELETE FROM case_rulings WHERE outcome = 'revoked'"),
    Attack(
        "the newest step is by another person",
        "UPDATE case_steps SET person = 'Qian Lan'"
        " WHERE step_id = (SELECT max(step_id) FROM case_steps)",
        UNANCHORED,
    ),
    Attack(
        "the newest step is on another document",
        "UPDATE case_steps SET document = 'ruling 9'"
        " WHERE step_id = (SELECT max(step_id) FROM case_steps)",
        UNANCHORED,
    ),
    Attack(
        "a day begins that never was", "INSERT INTO business_days VALUES (20300101, 1)", UNANCHORED
    ),
]
"""The registry keeps the heads of this platform's chain."""
