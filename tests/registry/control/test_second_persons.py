"""Nobody acts alone, and nobody for another: whose second person approves what, op by op."""

import re

import msgspec
import pytest

from cea_exchange.ledger.double_entry import Compartment, Holding
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.control.admin import MAY, REGISTRY_REQUESTS, SECOND, request_decode
from support.places import ROOT
from support.refusing import refuses
from support.registry.ledger_by_hand import changed
from support.registry.service_callers import Staff, acts_differences, by_two, key_of

pytestmark = pytest.mark.postgres_at_night

BEIJING = 11
WHY = {"why": "contract 12"}


@pytest.fixture
def staff(registry):
    """P1 and P2 with an initiator and an approver each; the authority and a province, two each."""
    registry.product_declare("CEA24", 9_749)
    for account in ("P1", "P2"):
        registry.account_open(account, province=BEIJING)
        registry.issue(account, "CEA24", 1_000)
        registry.pay_in(account, 1_000)
    staff = Staff(registry)
    for account in ("P1", "P2"):
        staff.person(f"ini-{account}", "initiator", account=account)
        staff.person(f"app-{account}", "approver", account=account)
    for name in ("mee", "mia"):
        staff.person(name, "authority")
    for name in ("bei", "jing"):
        staff.person(name, "province", province=BEIJING)
    staff._service.settings_keep()
    yield staff
    # Whatever a test lets be done, an auditor finds that those approved it whose right it was.
    assert acts_differences(staff) == []


def held(staff, account, product="CEA24"):
    registry = staff.registry
    index, asset = registry.account(account), registry.asset(product)
    return registry.store.balance(Holding(index, asset, Compartment.REGISTRATION))


# -- What one operator could do alone -----------------------------------------------------------

FOR_P2 = {
    "a trading key": {"op": "key_grant", "account": "P2", "key": key_of("mine")},
    "tonnes to the venue": {
        "op": "transfer_in",
        "account": "P2",
        "product": "CEA24",
        "amount": 5,
    },
    "cash back from it": {"op": "transfer_out", "account": "P2", "amount": 5},
    "another's sub-account": {
        "op": "account_bank",
        "account": "P2",
        "bank": "Bank A",
        "bank_account": "62-1",
        **WHY,
    },
    "its tonnes cancelled": {
        "op": "cancellation_apply",
        "account": "P2",
        "product": "CEA24",
        "tonnes": 5,
        "purpose": "for the climate",
    },
    "a representative more": {
        "op": "person_add",
        "account": "P2",
        "name": "me",
        "key": key_of("me"),
        "role": "initiator",
    },
    "a representative less": {"op": "person_remove", "key": key_of("ini-P2")},
}


@pytest.mark.parametrize("what", FOR_P2)
def test_an_operator_does_nothing_for_a_participant_without_it(staff, what):
    """CEA-PER-01, CEA-PER-02: its approver approves, and no operator does."""
    before = staff.registry.store.entry_last, held(staff, "P2")
    asked = staff.an(**FOR_P2[what])
    assert asked["approving_body"] == "account P2"
    number = asked["proposal"]
    for other in (staff.bo, staff.mee):
        assert "expected a person of account P2" in other.error("approve", proposal=number)
    assert "that account P1 decides" in staff.caller("app-P1").error("approve", proposal=number)
    assert (staff.registry.store.entry_last, held(staff, "P2")) == before
    assert staff.caller("app-P2")("approve", proposal=number)["ok"]


@pytest.mark.parametrize("what", [each for each in FOR_P2 if each != "a representative less"])
def test_a_participants_own_initiator_asks_for_the_same(staff, what):
    """CEA-PER-01."""
    asked = FOR_P2[what]
    assert staff.caller("ini-P2")(**asked)["approving_body"] == "account P2"
    assert "expected the business of account P1" in staff.caller("ini-P1").error(**asked)


def test_a_key_is_revoked_at_once_by_one_of_its_account_or_an_operator(staff):
    staff.registry.key_grant(key_of("k1"), "P2")
    staff.registry.key_grant(key_of("k2"), "P2")
    assert "expected the business" in staff.caller("ini-P1").error("key_revoke", key=key_of("k1"))
    assert staff.caller("ini-P2")("key_revoke", key=key_of("k1")) == {"ok": True}
    assert staff.an("key_revoke", key=key_of("k2")) == {"ok": True}


def test_an_account_without_an_approver_gets_one_before_anything_else(staff):
    """CEA-PER-02: two operators bring its first ones; then they decide on the next."""
    staff.registry.account_open("P3", province=BEIJING)
    grant = {"account": "P3", "key": key_of("k3")}
    assert "NO_SECOND_PERSON: key_grant: expected account P3 to have" in staff.an.error(
        "key_grant", **grant
    )
    first = {"role": "approver", "account": "P3"}
    by_two(staff.an, staff.bo, "person_add", name="wu", key=key_of("wu"), **first)
    by_two(staff.an, staff.wu, "key_grant", **grant)
    more = staff.an("person_add", name="xu", key=key_of("xu"), **first)
    assert more["approving_body"] == "account P3"
    assert staff.wu("approve", proposal=more["proposal"])["ok"]


def test_the_authority_approves_for_an_account_whose_approvers_are_gone(staff):
    """CEA-PER-02: the last approver's removal, and who comes after; never two operators."""
    gone = staff.an("person_remove", key=key_of("app-P2"))
    assert gone["approving_body"] == "authority"
    assert staff.mee("approve", proposal=gone["proposal"])["ok"]
    new = {"name": "wu", "key": key_of("wu"), "role": "approver", "account": "P2"}
    asked = staff.an("person_add", **new)
    assert asked["approving_body"] == "authority"
    assert "person of authority" in staff.bo.error("approve", proposal=asked["proposal"])
    assert staff.mee("approve", proposal=asked["proposal"])["ok"]
    assert staff.an(**FOR_P2["a trading key"])["approving_body"] == "account P2"


def test_the_authority_approves_for_a_suspended_account_whose_approver_is_not_to_be_reached(staff):
    """CEA-PER-02."""
    new = {"name": "wu", "key": key_of("wu"), "role": "approver", "account": "P2"}
    assert staff.an("person_add", **new)["approving_body"] == "account P2"
    assert staff.an("account_suspend", account="P2", why="its approver left")["ok"]
    asked = staff.an("person_add", **new)
    assert asked["approving_body"] == "authority"
    assert staff.mee("approve", proposal=asked["proposal"])["ok"]
    # What was proposed before must be decided by whom it would be made for now.
    assert "PROPOSAL_OUTDATED: " in staff.caller("app-P2").error("approve", proposal=1)


def test_who_merges_takes_nobodys_tonnes_and_gives_nobody_debts(staff, monkeypatch):
    """CEA-PER-01: the account that ends approves or asks; what it owes its successor approves."""
    merge = {"op": "account_merge", "account": "P2", "into": "P1", "why": "merged in law"}
    assert staff.an(**merge)["approving_body"] == "account P2"
    owes = [lambda index: ["year 2024"] if index == staff.registry.account("P2") else []]
    monkeypatch.setattr(staff.registry.accounts, "passing_checks", owes)
    assert "MERGE_BY_HEIR: " in staff.an.error(**merge)
    assert "expected the business of account P1" in staff.caller("ini-P1").error(**merge)
    asked = staff.caller("ini-P2")(**merge)
    assert asked["approving_body"] == "account P1"
    assert staff.caller("app-P1")("approve", proposal=asked["proposal"])["ok"]
    assert held(staff, "P1") == 2_000


@pytest.mark.parametrize("number", ["P1", "p1", "SUB-RESERVE", "sub-reserve", "F", "f"])
def test_a_sub_account_is_its_owners_though_nothing_is_noted(staff, number):
    """CEA-ACC-02: an account's name is its sub-account; the bank's settings name two more.

    In either case of the letters.
    """
    staff.registry.bank.setting = BankSetting(
        name="Bank A", customer="C", fees="F", reserve="SUB-RESERVE"
    )
    error = staff.an.error("account_bank", account="P2", bank="A", bank_account=number, **WHY)
    assert "SUB_ACCOUNT_TAKEN: bank_account: expected one account's only" in error
    account = {"entity": "X Ltd", "credit_code": "91330100799655058B", "province": BEIJING}
    staff.registry.accounts.bank_set("P1", "Bank A", "62-1", "contract")
    for name in ("62-1", "SUB-RESERVE", "sub-Reserve", "F"):
        assert "SUB_ACCOUNT_TAKEN: " in staff.an.error("account_open", account=name, **account)


def test_cash_comes_in_by_the_banks_statement_only(staff):
    """CEA-PER-06."""
    funding = ({"op": "pay_in", "account": "P1", "cash": 5}, {"op": "reserve_fund", "cash": 5})
    for request in funding:
        assert by_two(staff.an, staff.bo, **request)["ok"]
    staff.registry.bank.setting = BankSetting(name="Bank A", customer="C", fees="F", reserve="R")
    before = staff.registry.store.entry_last
    for request in funding:
        assert "BANK_PAYS_IN: " in staff.an.error(**request)
    assert staff.registry.store.entry_last == before


def test_a_bank_file_is_the_one_that_was_approved(staff, tmp_path):
    """A statement that one person brings is approved by another, and by its bytes."""
    staff.registry.bank.setting = BankSetting(name="Bank A", customer="C", fees="F", reserve="R")
    staff.registry.bank_files.folder = tmp_path
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "s.xml").write_bytes(b"<x/>")
    for op in ("bank_statement", "bank_report"):
        assert "FILE_CHANGED: s.xml: expected" in staff.an.error(op, file="s.xml", sha256=64 * "0")
        assert "BANK_FILE_UNKNOWN: file" in staff.an.error(op, file="../s.xml", sha256=64 * "0")
        assert SECOND[op].name == "OWN"


# -- The authority, and the provinces -----------------------------------------------------------


def test_nothing_is_issued_or_distributed_without_the_authority(staff):
    """CEA-PER-03: into its own account, by its own approver; into an entity's not at all."""
    assert "issue" not in REGISTRY_REQUESTS.by_op
    issued = staff.an.error("issue", account="P1", product="CEA24", tonnes=5)
    assert issued.startswith("BAD_REQUEST: request:")
    issue = {"op": "allocation_issue", "product": "CEA24", "tonnes": 5}
    asked = staff.an(**issue)
    assert asked["approving_body"] == "authority"
    assert "person of authority" in staff.bo.error("approve", proposal=asked["proposal"])
    assert "expected another person" in staff.mee.error(
        "approve", proposal=staff.mee(**issue)["proposal"]
    )
    assert staff.mia("approve", proposal=asked["proposal"])["ok"]
    assert SECOND["allocation_distribute"].name == "AUTHORITY"


def test_the_authoritys_persons_are_the_authoritys(staff):
    """CEA-PER-02: added, removed, and never down to none."""
    new = {"name": "wu", "key": key_of("wu"), "role": "authority"}
    for asked in (staff.an("person_add", **new), staff.an("person_remove", key=key_of("mia"))):
        assert asked["approving_body"] == "authority"
        assert "person of authority" in staff.bo.error("approve", proposal=asked["proposal"])
    removal = asked["proposal"]
    assert staff.mee("approve", proposal=removal)["ok"]
    last = staff.an.error("person_remove", key=key_of("mee"))
    assert "LAST_PERSON: authority: expected a person to stay" in last
    assert (
        staff.an("person_add", name="hu", key=key_of("hu"), role="province", province=31)[
            "approving_body"
        ]
        == "authority"
    )


def test_the_first_of_the_authority_are_brought_by_two_operators(registry):
    """CEA-PER-02."""
    staff = Staff(registry)
    new = {"name": "mee", "key": key_of("mee"), "role": "authority"}
    by_two(staff.an, staff.bo, "person_add", **new)
    again = staff.an("person_add", **new | {"name": "mia", "key": key_of("mia")})
    assert again["approving_body"] == "authority"


def test_the_registrys_own_persons_are_added_and_removed_by_two_of_them(staff):
    new = {"name": "cy", "key": key_of("cy"), "role": "operator"}
    by_two(staff.an, staff.bo, "person_add", **new)
    asked = staff.cy("person_remove", key=key_of("cy"))
    assert asked["approving_body"] == "registry"


def test_an_operator_decides_for_no_province_and_no_authority(staff):
    """CEA-PER-01: their own persons approve."""
    at_risk = {"account": "P1", "at_risk": True, **WHY}
    for person in (staff.an, staff.bei):
        assert person("account_at_risk", **at_risk)["approving_body"] == "province 11"
    for op in ("surrender_force", "allocation_release", "account_rename"):
        assert SECOND[op].name == "PROVINCE"
    decision = {"document": "D-1", "cause": "other", "tonnes": 5, "decided_on": 20250101}
    for person, body in ((staff.an, "authority"), (staff.bei, "province 11")):
        asked = person("allocation_deduct", account="P1", **decision)
        assert asked["approving_body"] == body, asked


# -- The table ----------------------------------------------------------------------------------

ALONE = {
    # stops the daemon, which keeps everything
    "stop": "moves nothing",
    # decides what another proposed
    "approve": "is the second",
    "reject": "moves nothing",
    # bars and freezes, which must not wait
    "account_suspend": "must not wait",
    "key_revoke": "must not wait",
    "freeze": "must not wait",
    "freeze_all": "must not wait",
    "freeze_extend": "must not wait",
    # computes, tells or says
    "allocation_preview": "moves nothing",
    "statement_object": "moves nothing",
    "statement_resolve": "moves nothing",
    "default_notice": "moves nothing",
    # does what has its cause already
    "bank_batches": "has its cause",
    "bank_fetch": "has its cause",
    "bank_retry": "has its cause",
    "default_retry": "has its cause",
}


def test_every_act_takes_two_or_says_why_not():
    """CEA-REG-02: what is not in the table looks only, or is one of these."""
    acts = {op for op, each in REGISTRY_REQUESTS.by_op.items() if not each.is_look}
    assert acts - REGISTRY_REQUESTS.of_two == set(ALONE)
    assert REGISTRY_REQUESTS.of_two <= acts


def test_the_page_says_whose_second_person_approves_what():
    page = ROOT / "protocol" / "registry.md"
    rows = [
        [cell.strip().strip("`") for cell in line.split("|")[1:-1]]
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.count("|") == 5
    ]
    shown = {row[0]: row[1:] for row in rows if row[0] in MAY}
    expected = {
        op: [", ".join(MAY[op]), SECOND[op].value if op in SECOND else "none: " + ALONE[op]]
        for op in MAY
        if op in SECOND or op in ALONE
    }
    assert {op: row[:2] for op, row in shown.items()} == expected
    assert all(row[2] for row in shown.values())


def test_the_page_says_of_each_act_of_two_how_it_is_taken_back():
    """CEA-PER-07, CEA-PER-08: by another act, or why not; a new one has to say so, too."""
    text = (ROOT / "protocol" / "registry.md").read_text(encoding="utf-8")
    table = text.split("| acts | taken back by |\n|---|---|\n")[1].split("\n\n")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines()]
    acts = [op for ops, _ in rows for op in re.findall(r"`(\w+)`", ops)]
    assert len(acts) == len({*acts}) and {*acts} == REGISTRY_REQUESTS.of_two
    named = {op for _, how in rows for op in re.findall(r"`(\w+)`", how)}
    assert named <= {*REGISTRY_REQUESTS.by_op}


# -- The test bench -----------------------------------------------------------------------------


def test_a_list_in_the_settings_adds_and_takes_nothing_away(registry):
    """CEA-PER-05."""
    registry.account_open("P1")
    staff = Staff(registry, second_person=("account_suspend",))
    assert "proposal" in staff.an("account_suspend", account="P1", why="order 1")
    assert "proposal" in staff.an("pay_in", account="P1", cash=5)
    assert staff.an("status")["unsafe"] is None


def test_a_bench_that_asks_for_nobody_says_so(registry):
    """CEA-PER-05."""
    registry.account_open("P1")
    staff = Staff(registry, second_person=())
    assert staff.an("pay_in", account="P1", cash=5) == {"ok": True}
    assert "one person alone does everything" in staff.an("status")["unsafe"]


# -- Names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("ＡＮ", "expected 'AN' (NFKC)"),
        ("an\u200d", "one line"),
        ("a\u202en", "one line"),
        ("an\u3164", "one line"),
        ("an\u0007", "one line"),
        ("=cmd", "expected no begin of a formula"),
        ("\ua4een", "expected Latin, Chinese, Greek or Cyrillic letters"),
        ("\u13aan", "expected Latin, Chinese, Greek or Cyrillic letters"),
        ("+an", "expected no begin of a formula"),
        ("-an", "expected no begin of a formula"),
        ("@an", "expected no begin of a formula"),
        ("\tan", "one line"),
    ],
)
def test_a_name_is_what_it_looks_like(staff, name, why):
    """CEA-PER-04: of persons, accounts, entities, groups and products."""
    person = staff.an.error("person_add", name=name, key=key_of("k"), role="operator")
    entity = {"credit_code": "91330100799655058B", "province": BEIJING}
    given = {"account": "P9", "entity": "X Ltd", "group": "G"}
    errors = [person]
    for field in given:
        errors.append(staff.an.error("account_open", **entity, **given | {field: name}))
    errors.append(staff.an.error("product_declare", product=name, reference_price=5))
    for error in errors:
        assert why in error or "expected printable text" in error


@pytest.mark.parametrize("alike", ["An", "AN", "\u0430n", "\u0410n", "\u0410N"])
def test_persons_who_look_alike_are_never_two(staff, alike):
    """CEA-PER-04: neither in one body, nor one the second of the other; Cyrillic letters too."""
    assert "NAME_LOOKS_ALIKE: person: " in staff.an.error(
        "person_add", name=alike, key=key_of("k"), role="operator"
    )
    # He may be of another body, and approve what another operator asks.
    staff.registry.persons.add(alike, key_of("k9"), "authority")
    issue = {"op": "allocation_issue", "product": "CEA24", "tonnes": 5}
    number = staff.an(**issue)["proposal"]
    person = staff.k9
    assert "expected another person than an" in person.error("approve", proposal=number)
    assert person("approve", proposal=staff.bo(**issue)["proposal"])["ok"]


def test_accounts_entities_groups_and_products_that_look_alike_are_one(staff):
    """CEA-PER-04."""
    registry = staff.registry
    registry.account_open("Alpha", "Group", entity="Alpha Ltd")
    registry.account_open("Beta", "Group", entity="Beta Ltd")
    for account, group, entity in (
        ("alpha", "", "X"),
        ("Αlpha", "", "X"),
        ("Y", "", "ALPHA Ltd"),
        ("Y", "group", "X"),
    ):
        with pytest.raises(ValueError, match="expected one that looks like no other"):
            registry.account_open(account, group, entity=entity)
    with pytest.raises(ValueError, match="expected one that looks like no other"):
        registry.accounts.rename("Beta", "Аlpha Ltd", "decision 3")
    with pytest.raises(ValueError, match="expected one that looks like no other"):
        registry.product_declare("СEA24", 5)
    registry.accounts.rename("Beta", "BETA Ltd 2", "decision 4")


def test_a_proposal_whose_body_was_changed_is_not_done(staff):
    """CEA-REG-05: the row differs from its log, before anybody asks who has to approve."""
    number = staff.an(**FOR_P2["a trading key"])["proposal"]
    changed(staff.registry.store, "UPDATE proposals SET body = 'registry'")
    error = staff.bo.error("approve", proposal=number)
    assert "PROPOSAL_CHANGED: " in error
    assert (
        msgspec.msgpack.decode(staff.registry.store.one("SELECT request FROM proposals"))["account"]
        == "P2"
    )


def texts_of(kind):
    """Yield ways to put a text into a field of a type; none where it takes no free text."""
    match kind:
        case msgspec.inspect.Metadata(type=bare):
            yield from texts_of(bare)
        case msgspec.inspect.StrType():
            yield lambda text: text
        case msgspec.inspect.UnionType(types=types):
            for each in types:
                yield from texts_of(each)
        case msgspec.inspect.DictType():
            yield lambda text: {text: 1}
        case msgspec.inspect.StructType(fields=fields):
            for field in fields:
                for put in texts_of(field.type):
                    yield lambda text, field=field, put=put: {field.encode_name: put(text)}


@pytest.mark.parametrize(
    "character",
    ["\0", "\n", "\x1b", "\x7f", "\u200b", "\u202e", "\u2028", "\ue000", "\u3164", "\ufe0f"],
)
def test_no_text_of_a_request_has_characters_that_are_not_seen(character):
    """CEA-PER-04: in no field of any request, whoever asks."""
    tried = 0
    for found in REGISTRY_REQUESTS.types:
        info = msgspec.inspect.type_info(found)
        others = {field.encode_name: _any_of(field.type) for field in info.fields if field.required}
        for field in info.fields:
            for put in texts_of(field.type):
                request = {"op": info.tag, **others, field.encode_name: put(f"a{character}b")}
                with refuses("BAD_REQUEST: .*request: "):
                    request_decode(msgspec.msgpack.encode(request))
                tried += 1
    assert tried > 150
    sound = {"op": "account_suspend", "account": "P1", "why": "court order 12 (法院)"}
    assert request_decode(msgspec.msgpack.encode(sound)).why == sound["why"]
    with refuses("BAD_REQUEST: request: why: expected one line of visible characters"):
        request_decode(msgspec.msgpack.encode(sound | {"why": f"a{character}b"}))


def _any_of(kind):
    """Return a value of a type."""
    match kind:
        case msgspec.inspect.Metadata(type=bare):
            return _any_of(bare)
        case msgspec.inspect.StrType():
            return 64 * "0"
        case msgspec.inspect.IntType():
            return 1
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.BytesType():
            return b""
        case msgspec.inspect.DictType():
            return {}
        case msgspec.inspect.LiteralType(values=values):
            return values[0]
        case msgspec.inspect.EnumType(cls=cls):
            return next(iter(cls)).value
        case msgspec.inspect.StructType(fields=fields):
            return {field.encode_name: _any_of(field.type) for field in fields if field.required}
    raise AssertionError(kind)
