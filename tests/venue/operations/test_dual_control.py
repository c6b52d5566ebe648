"""Two persons: who may agree to what, for how long; and who operators are."""

from hashlib import sha256

import pytest

from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol.operators import (
    Operator,
    OperatorSetting,
    operators_by_key,
    two_operators,
)
from cea_exchange.protocol.security import CurveKeys, SecurityError
from cea_exchange.venue.operations.proposals import PROPOSALS_MAX, VenueProposals
from support.refusing import refuses

AN = Operator("an", "key of an")
AN_AGAIN = Operator("an", "another key of an")
BO = Operator("bo", "key of bo")
LIFE_S = 3_600
REQUEST = b"undo trade 7"
REQUEST_HASH = sha256(REQUEST).hexdigest()


class Clock:
    now_s = 1_000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def proposals(clock):
    return VenueProposals(LIFE_S, clock)


def put(proposals, done):
    return proposals.propose(AN, "undo trade 7", "typo", REQUEST, done.append).number


def test_a_second_person_carries_it_out_once(proposals):
    """CEA-OPR-02."""
    done = []
    number = put(proposals, done)
    assert done == []
    (listed,) = proposals.listed()
    assert listed == {
        "number": number,
        "what": "undo trade 7",
        "by": "an",
        "why": "typo",
        "request_hash": REQUEST_HASH,
        "expires_in_s": LIFE_S,
    }
    proposals.carry_out(number, BO)
    assert done == [BO]
    with refuses("PROPOSAL_DECIDED: .*a waiting one, got approved", FrameError):
        proposals.carry_out(number, BO)
    assert done == [BO]


@pytest.mark.parametrize("second", [AN, AN_AGAIN, Operator("bo", AN.key)])
def test_one_person_is_not_two(proposals, second):
    """CEA-OPR-02: neither another key of the same name nor another name of the same key."""
    done = []
    number = put(proposals, done)
    with refuses("SAME_PERSON: .*another person than an", FrameError):
        proposals.carry_out(number, second)
    assert done == []
    proposals.carry_out(number, BO)
    assert done == [BO]


def test_a_proposal_that_could_not_be_done_still_stands(proposals):
    def refuse(second):
        raise FrameError(VenueRefusal.DAY_IS_OPEN, expected="no open day", got="one", where="day")

    number = proposals.propose(AN, "x", "y", REQUEST, refuse).number
    with refuses("DAY_IS_OPEN", FrameError):
        proposals.carry_out(number, BO)
    assert [each["number"] for each in proposals.listed()] == [number]


def test_a_rejected_one_is_gone(proposals):
    done = []
    number = put(proposals, done)
    assert proposals.reject(number, BO, "no").what == "undo trade 7"
    with refuses("PROPOSAL_DECIDED: .*got rejected", FrameError):
        proposals.carry_out(number, BO)
    assert done == proposals.listed() == []


def test_it_expires(proposals, clock):
    done = []
    number = put(proposals, done)
    clock.now_s += LIFE_S - 1
    assert len(proposals.listed()) == 1
    clock.now_s += 1
    with refuses("PROPOSAL_DECIDED: .*a waiting one, got expired", FrameError):
        proposals.carry_out(number, BO)
    assert done == proposals.listed() == []


def test_numbers_of_another_life_of_the_daemon_mean_nothing(clock):
    first, second = (VenueProposals(LIFE_S, clock) for _ in range(2))
    number = put(first, [])
    put(second, [])
    with refuses("PROPOSAL_UNKNOWN", FrameError):
        second.carry_out(number, BO)


def test_what_was_seen_is_what_is_agreed_to(proposals):
    """CEA-OPR-02."""
    done = []
    number = put(proposals, done)
    with refuses(f"PROPOSAL_DIFFERS: .*request_hash {REQUEST_HASH}, got another", FrameError):
        proposals.carry_out(number, BO, "another")
    assert done == []
    proposals.carry_out(number, BO, REQUEST_HASH)
    assert done == [BO]


def test_those_that_ended_are_forgotten_some_day(proposals):
    first, *others = [put(proposals, []) for _ in range(PROPOSALS_MAX)]
    for number in (first, *others):
        proposals.reject(number, AN, "no")
    last = put(proposals, [])
    with refuses("PROPOSAL_DECIDED", FrameError):
        proposals.carry_out(first, BO)
    proposals.reject(last, AN, "no")
    put(proposals, [])
    with refuses("PROPOSAL_UNKNOWN", FrameError):
        proposals.carry_out(first, BO)


def test_there_is_an_end_to_proposing(proposals):
    for _ in range(PROPOSALS_MAX):
        put(proposals, [])
    with refuses(f"PROPOSALS_TOO_MANY: .*at most {PROPOSALS_MAX}", FrameError):
        put(proposals, [])


# -- Who operators are ----------------------------------------------------------------------------


@pytest.fixture
def keys(tmp_path):
    found = {}
    for name in ("admin", "an", "an2", "bo", "reg", "stranger"):
        found[name] = CurveKeys.new()
        found[name].save(tmp_path / "keys", name)
    return found


def test_names_keys_and_roles_are_data(tmp_path, keys):
    """CEA-OPR-01."""
    settings = (
        OperatorSetting(name="an", key=keys["an"].public),
        OperatorSetting(name="an", key="keys/an2.public"),
        OperatorSetting(name="reg", key="keys/reg.public", role="regulator"),
    )
    operators = operators_by_key(settings, None, tmp_path)
    assert set(operators) == {keys[name].public for name in ("an", "an2", "reg")}
    assert {each.name for each in operators.values() if each.may_act} == {"an"}
    assert operators[keys["reg"].public].name == "reg"
    with_admin = operators_by_key(settings, (keys["admin"].public,), tmp_path)
    assert with_admin[keys["admin"].public].name == "admin"


def test_without_settings_the_admin_key_of_the_folder_acts(tmp_path, keys):
    (operator,) = operators_by_key((), None, tmp_path).values()
    assert operator == Operator("admin", keys["admin"].public)


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ([("an", "keys/an.public", "operator")] * 2, "a key for each"),
        (
            [("an", "keys/an.public", "operator"), ("an", "keys/an2.public", "regulator")],
            "one role for an",
        ),
        ([("an", "keys/nobody.public", "operator")], "expected a key file"),
    ],
)
def test_what_can_not_be_is_refused(tmp_path, keys, entries, complaint):
    settings = tuple(OperatorSetting(name=n, key=k, role=role) for n, k, role in entries)
    with pytest.raises(SecurityError, match=complaint):
        operators_by_key(settings, None, tmp_path)


def test_a_daemon_that_nobody_may_ask_is_refused(tmp_path, keys):
    with pytest.raises(SecurityError, match="expected somebody's key, both are empty"):
        operators_by_key((), (), tmp_path)


@pytest.mark.parametrize("name", ["an\nbo", "an\u202e", " an", "an ", " "])
def test_a_name_is_one_line_and_no_other_ones_with_blanks(name):
    """CEA-OPR-01: names are printed with what was done under them."""
    with pytest.raises(ValueError, match="name: expected one line without blanks around"):
        OperatorSetting(name=name, key="keys/an.public")
    assert OperatorSetting(name="An Li", key="keys/an.public").name == "An Li"


def test_two_secret_keys_are_two_persons(tmp_path, keys):
    """CEA-OPR-02: by possession of two secret keys of two names, both operators'."""
    settings = tuple(
        OperatorSetting(name=name[:2] if role == "operator" else name, key=key.public, role=role)
        for name, key, role in (
            ("an", keys["an"], "operator"),
            ("an2", keys["an2"], "operator"),
            ("bo", keys["bo"], "operator"),
            ("reg", keys["reg"], "regulator"),
        )
    )
    operators = operators_by_key(settings, None, tmp_path)

    def names(first, second):
        files = (tmp_path / "keys" / f"{name}.secret" for name in (first, second))
        return tuple(each.name for each in two_operators(operators, *files))

    assert names("an", "bo") == ("an", "bo")
    for second, complaint in (
        ("an", "another person"),
        ("an2", "another person"),
        ("reg", "the regulator's reg"),
        ("stranger", "a stranger's"),
        ("nobody", "expected a key file"),
    ):
        with pytest.raises(SecurityError, match=complaint):
            names("an", second)
    (tmp_path / "keys" / "bo.secret").chmod(0o644)
    with pytest.raises(SecurityError, match="mode 0600"):
        names("an", "bo")
