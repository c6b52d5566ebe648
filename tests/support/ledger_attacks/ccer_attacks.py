"""Changes of the CCER registry's database by somebody who rewrites all hashes too."""

from support.ledger_attacks.verdicts import UNANCHORED, Attack

ATTACKS = [
    Attack("a certificate is dated earlier", "UPDATE certificates SET issued_on = issued_on - 1"),
    Attack(
        "a certificate names another holder",
        'UPDATE certificates SET content = replace(content, \'"holder": "A"\','
        ' \'"holder": "B"\') WHERE cancellation_id = 1',
    ),
    Attack(
        "a cancellation is of more tonnes, in the certificate too",
        "UPDATE cancellations SET tonnes = 900 WHERE cancellation_id = 1;"
        "UPDATE certificates SET content ="
        " replace(content, '\"tonnes\": 100', '\"tonnes\": 900')"
        " WHERE cancellation_id = 1",
    ),
    Attack(
        "cancellation and proof are for another entity",
        "UPDATE cancellations SET beneficiary = 'P002' WHERE cancellation_id = 1;"
        "UPDATE proofs SET beneficiary = 'P002'",
    ),
    Attack(
        "a cancellation is for another year",
        "UPDATE cancellations SET compliance_year = 2023 WHERE cancellation_id = 1;"
        "UPDATE proofs SET compliance_year = 2023 WHERE cancellation_id = 1",
    ),
    Attack(
        "a cancellation was refused for another reason",
        "UPDATE cancellations SET why = 'no reason' WHERE cancellation_id = 2",
    ),
    Attack(
        "a reversed proof is valid again",
        "UPDATE proofs SET state = 'issued' WHERE state = 'reversed'; DELETE FROM reversals",
    ),
    Attack("a reversal is on another order", "UPDATE reversals SET document = 'order 9'"),
    Attack(
        "the newest proof is gone from the stream",
        "DELETE FROM proof_stream WHERE proof_seq = (SELECT max(proof_seq) FROM proof_stream)",
    ),
    Attack(
        "a claim has another answer", "UPDATE proof_claims SET answer = x'80' WHERE claim_seq = 1"
    ),
    Attack("a freeze is of more", "UPDATE freezes SET ordered = ordered + 1 WHERE freeze_id = 1"),
    Attack(
        "a freeze is of another court", "UPDATE freezes SET court = 'Tianjin' WHERE freeze_id = 1"
    ),
    Attack("a restitution is smaller", "UPDATE restitutions SET tonnes = tonnes + 1"),
    Attack(
        "a trade has another price",
        "UPDATE trades SET price = price + 1, cash = cash + tonnes WHERE trade_id = 1",
    ),
    Attack("a trade has no fee", "UPDATE trades SET buy_fee = 0, sell_fee = 0"),
    Attack(
        "a trade is of another day",
        "UPDATE trades SET trading_date = trading_date - 1 WHERE trade_id = 1",
    ),
    Attack("a bust has another reason", "UPDATE busts SET reason = reason + 1 WHERE reason > 0"),
    Attack("a day never closed", "DELETE FROM day_closes WHERE settlement_seq > 0"),
    Attack(
        "a checkpoint has other hashes",
        "UPDATE checkpoints SET venue_hash = 'f', registry_hash = 'f'",
    ),
    Attack("a listing has another price", "UPDATE listings SET reference_price = 1"),
    Attack(
        "a transfer is of more",
        "UPDATE market_transfers SET tonnes = tonnes + 1 WHERE state = 'completed'",
    ),
    Attack("a revoked key is valid", "UPDATE keys SET revoked = 0"),
    Attack(
        "a restricted account is open", "UPDATE accounts SET state = 'open' WHERE account = 'B'"
    ),
    Attack("an item of the feed is gone", "DELETE FROM feed WHERE transfer_seq = 3"),
    Attack("a project has another title", "UPDATE projects SET title = 'Onshore wind'"),
    Attack("a project has another method", "UPDATE projects SET methodology = 'CCER-99-999'"),
    Attack(
        "a batch has more verified tonnes",
        "UPDATE batch_tonnes SET tonnes = tonnes + 1;UPDATE issues SET tonnes = tonnes + 1",
    ),
    Attack("a project step is by other persons", "UPDATE project_steps SET by_persons = 'zhao'"),
    Attack(
        "a verifier is accredited for longer", "UPDATE accreditations SET until_date = 20991231"
    ),
    Attack(
        "serials belong to another account",
        "UPDATE lots SET account_index = 4 WHERE lot_id = (SELECT min(lot_id) FROM lots)",
    ),
    Attack("an act is by another person", "UPDATE acts SET person = 'Xu Ke' WHERE act_id = 1"),
    Attack("the heads of the registry are gone", "DELETE FROM partner_heads"),
    Attack(
        "the newest cancellation is for somebody else",
        "UPDATE cancellations SET beneficiary = 'Sea Fair' WHERE beneficiary = 'Wind Fair';"
        "UPDATE certificates SET content = replace(content, 'Wind Fair', 'Sea Fair')",
        UNANCHORED,
    ),
    Attack(
        "the newest freeze is of another court",
        "UPDATE freezes SET court = 'Tianjin' WHERE freeze_id = 2;"
        "UPDATE freeze_acts SET court = 'Tianjin' WHERE freeze_id = 2",
        UNANCHORED,
    ),
    Attack(
        "a day begins that never was", "INSERT INTO business_days VALUES (20300101, 1)", UNANCHORED
    ),
]
"""The allowance registry and the venue keep the heads of this chain."""
