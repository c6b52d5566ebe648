"""Changes of the registry's database by somebody who rewrites all hashes too."""

from support.ledger_attacks.verdicts import UNANCHORED, Attack

_LAST_RUN = "(SELECT max(first_seq) FROM settlement_runs)"

OF_THE_VENUE = [
    Attack(
        "more allowances are issued, with both postings",
        "UPDATE entries SET amount = amount + 1000 WHERE entry_id = 1;"
        "UPDATE postings SET amount = amount + 1000 WHERE posting_id / 8 = 1 AND amount > 0;"
        "UPDATE postings SET amount = amount - 1000 WHERE posting_id / 8 = 1 AND amount < 0",
    ),
    Attack(
        "an issue is added as the newest entry",
        "INSERT INTO entries SELECT max(entry_id) + 1, 1, max(settlement_seq), 20260718,"
        " -1, 0, 0, 9999999, '', 1 FROM entries;"
        "INSERT INTO postings SELECT 8 * max(entry_id), -1, 0, 0, -9999999 FROM entries;"
        "INSERT INTO postings SELECT 8 * max(entry_id) + 1, 0, 0, 1, 9999999 FROM entries;"
        "UPDATE chain SET entry_last = (SELECT max(entry_id) FROM entries)"
        " WHERE link_id = (SELECT max(link_id) FROM chain)",
    ),
    Attack("an act's person is another", "UPDATE acts SET person = 'zhao' WHERE act_id = 1"),
    Attack("an act's second person is another", "UPDATE acts SET second = 'zhao'"),
    Attack("an act is dated a nanosecond later", "UPDATE acts SET at_ns = at_ns + 1"),
    Attack("a decision is by another person", "UPDATE decisions SET person = 'zhao'"),
    Attack(
        "an account's province is another", "UPDATE accounts SET province = 44 WHERE account = 'P2'"
    ),
    Attack(
        "an account's entity is another", "UPDATE accounts SET entity = 'X' WHERE account = 'P1'"
    ),
    Attack(
        "an account's bank account is another",
        "UPDATE accounts SET bank_account = 'SUB-RESERVE' WHERE account = 'P1'",
    ),
    Attack(
        "less is owed",
        "UPDATE obligation_entries SET due_tonnes = due_tonnes - 1,"
        " verified_tonnes = verified_tonnes - 1 WHERE account_index = 1",
    ),
    Attack("an obligation is gone", "DELETE FROM obligation_entries WHERE account_index = 1"),
    Attack("an obligation file has another hash", "UPDATE obligation_files SET sha256 = 'f'"),
    Attack("a surrender is dated earlier", "UPDATE surrenders SET applied_on = 20251101"),
    Attack("a certificate is gone", "DELETE FROM certificates"),
    Attack("a certificate is dated earlier", "UPDATE certificates SET issued_on = issued_on - 1"),
    Attack("an offset has another project", "UPDATE offset_proofs SET project = 'CCER-2'"),
    Attack(
        "a carryover's limit is higher",
        "UPDATE carryover_notices SET limit_tonnes = limit_tonnes + 100",
    ),
    Attack("a freeze ends a year later", "UPDATE freezes SET until_date = until_date + 10000"),
    Attack("a freeze is of another court", "UPDATE freezes SET court = 'Another Court'"),
    Attack("a cancellation has another purpose", "UPDATE dispositions SET document = 'a feast'"),
    Attack("a public notice is empty", "UPDATE public_notices SET content = '{}'"),
    Attack(
        "a trade failed for another reason",
        "UPDATE trades SET failure = 'no cash' WHERE failure <> ''",
    ),
    Attack(
        "a trade has another price", "UPDATE trades SET price = price + 1, cash = cash + tonnes"
    ),
    Attack("a bust has another reason", "UPDATE busts SET reason = reason + 1"),
    Attack("a default's deadline is later", "UPDATE defaults SET deadline = deadline + 1"),
    Attack("an objection says that all is well", "UPDATE objections SET content = 'all is well'"),
    Attack("a bank entry names another account", "UPDATE bank_entries SET reference = 'P2'"),
    Attack("a bank statement is empty", "UPDATE bank_statements SET content = x'00'"),
    Attack(
        "a transfer is of more", "UPDATE transfers SET amount = amount + 1 WHERE direction = 'in'"
    ),
    Attack("an item of the feed is gone", "DELETE FROM feed WHERE transfer_seq = 1"),
    Attack("a confirmed day is another", "UPDATE meta SET confirmed_date = confirmed_date + 1"),
    Attack(
        "a settlement record's bytes are another",
        "UPDATE settlement_runs SET records = zeroblob(160 * record_count)"
        f" WHERE first_seq = {_LAST_RUN}",
    ),
    Attack("a person has another role", "UPDATE persons SET role = 'approver' WHERE person = 'li'"),
    Attack(
        "the newest act is by another person",
        "UPDATE acts SET person = 'zhao' WHERE act_id = (SELECT max(act_id) FROM acts)",
    ),
    Attack(
        "the newest account change gives another reason",
        "UPDATE account_changes SET why = 'court order 99' WHERE change_id ="
        " (SELECT max(change_id) FROM account_changes)",
        UNANCHORED,
    ),
    Attack(
        "a waiting proposal asks for something else",
        "UPDATE proposals SET request = x'80'"
        " WHERE proposal_id = (SELECT max(proposal_id) FROM proposals)",
    ),
    Attack(
        "a waiting proposal is by another person",
        "UPDATE proposals SET proposer = 'mo'"
        " WHERE proposal_id = (SELECT max(proposal_id) FROM proposals)",
    ),
    Attack(
        "the newest transfer goes to the venue",
        "UPDATE transfers SET direction = 'in' WHERE"
        " transfer_seq = (SELECT max(transfer_seq) FROM transfers)",
    ),
    Attack(
        "a day begins that never was", "INSERT INTO business_days VALUES (20300101, 1)", UNANCHORED
    ),
    Attack("requests have another answer", "UPDATE requests SET answer = x'80'"),
]
"""The venue's folder has heads of this registry's chain; the feed's heads are rewritten too."""

OF_THE_PLATFORM = [
    Attack("more was given", "UPDATE platform_given SET tonnes = tonnes + 1"),
    Attack("an item is marked as a draft", "UPDATE platform_items SET mark = 'draft'"),
    Attack(
        "an account is of another province",
        "UPDATE accounts SET province = 44 WHERE account = 'P001'",
    ),
    Attack("the platform's heads are gone", "DELETE FROM partner_heads"),
    Attack(
        "a head of the platform is another",
        "UPDATE partner_heads SET head = 'ab' WHERE link_id ="
        " (SELECT max(link_id) FROM partner_heads)",
    ),
    Attack("the newest freeze is of less", "UPDATE freezes SET ordered = 4, in_force = 4"),
    Attack(
        "the newest freeze is of another court",
        "UPDATE freezes SET court = 'Another Court'",
        UNANCHORED,
    ),
]
"""The platform keeps the heads of this registry's chain."""
