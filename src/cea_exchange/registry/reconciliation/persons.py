"""Checks who acted: each act and decision was by a person who might, and did what it should.

Persons are those of the settings, which each daemon keeps as it begins (table `role_settings`), and
those that were added by acts. Acts and proposals are in order by their numbers; clocks may step.
What was done before any settings were kept is compared as far as it can be.
"""

from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from cea_exchange.institution.act_log import LIBRARY
from cea_exchange.institution.persons import Person
from cea_exchange.ledger.store import Store
from cea_exchange.registry.control.admin import SECOND
from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.own_acts import OwnAct
from cea_exchange.registry.participants.roles import (
    AUTHORITY,
    OPERATOR,
    OWN_BODIES,
    account_body,
    province_body,
)

_CHANGE_OF_ACT = {
    "account_open": "opened",
    "account_suspend": "suspended",
    "account_restore": "restored",
    "account_rename": "renamed",
    "account_merge": "merged",
    "account_close": "closed",
    "account_bank": "settlement bank set",
}
OWN_ACTS = frozenset({LIBRARY, *OwnAct})
"""Without persons; what they may bring is asked by the audit `causes`."""
_AT_RISK = {True: "marked at risk", False: "marked not at risk"}


class _Settings(NamedTuple):
    """What settings said at a start: the persons, which ops take two, which role may what."""

    after_act: int
    after_proposal: int
    at_ns: int
    persons: dict[str, Person]
    of_two: frozenset[str]
    may: dict[str, list[str]]


class _Row(NamedTuple):
    """A row of `persons`, with the acts that brought and removed it; 0 is none."""

    person: Person
    added_at_ns: int
    removed_at_ns: int
    added_by: int
    removed_by: int


def persons_differences(store: Store) -> Iterator[str]:
    """Yield what persons, proposals, decisions, acts and changes of accounts say of each other.

    Rules: CEA-REG-01 (who may), CEA-REG-02 (two persons), CEA-REG-03 (the record), CEA-REG-04,
    CEA-PER-01 (whose second person).
    """
    known = _Known(store)
    yield from _acts(store, known)
    yield from _proposals(store, known)
    yield from _decisions(store, known)
    yield from known.differences(store)
    yield from _account_changes(store, known)


class _Known:
    """Everybody there is or was, by key."""

    def __init__(self, store: Store) -> None:
        self.settings = [
            _settings(*row)
            for row in store.all(
                "SELECT after_act, after_proposal, at_ns, content FROM role_settings"
                " ORDER BY setting_id"
            )
        ]
        added, removed = dict[str, tuple[int, Any]](), dict[str, int]()
        acts = store.all(
            "SELECT act_id, op, request FROM acts WHERE op IN ('person_add', 'person_remove')"
            " ORDER BY act_id"
        )
        for act_id, op, request in acts:
            asked = msgspec.msgpack.decode(request)
            if op == "person_add":
                added[asked["key"]] = (act_id, asked)
            else:
                removed[asked["key"]] = act_id
        self.asked = added
        self.rows = {
            key: _Row(
                Person(name, key, role, body),
                *(added_at_ns, removed_at_ns),
                *(added.get(key, (0,))[0], removed.get(key, 0)),
            )
            for key, name, role, body, added_at_ns, removed_at_ns in store.all(
                "SELECT public_key, person, role, body, added_at_ns, removed_at_ns FROM persons"
            )
        }

    def settings_of_act(self, act_id: int) -> _Settings | None:
        """Return the settings an act was done under; None: they were not kept yet."""
        return next((s for s in reversed(self.settings) if s.after_act < act_id), None)

    def settings_of_proposal(self, number: int) -> _Settings | None:
        """Return the settings a proposal was made under; None: they were not kept yet."""
        return next((s for s in reversed(self.settings) if s.after_proposal < number), None)

    def who(self, key: str, settings: _Settings, act_id: int = 0) -> Person | None:
        """Return who a key stood for, as an act was done or at any time; None: nobody."""
        if key in settings.persons:
            return settings.persons[key]
        row = self.rows.get(key)
        if row is None or (act_id and (row.added_by >= act_id or 0 < row.removed_by < act_id)):
            return None
        return row.person

    def decider(self, key: str, settings: _Settings) -> Person | None:
        """Return who decided: under the settings of the proposal, or later ones."""
        later = self.settings[self.settings.index(settings) :]
        return next(filter(None, (self.who(key, each) for each in later)), None)

    def differences(self, store: Store) -> Iterator[str]:
        """Each person was added as an act asked, and those since there are settings by some act."""
        began_ns = self.settings[0].at_ns if self.settings else None
        added_late, changed_late = _since_settings(store)
        ended = {
            account_body(account)
            for account in store.column(
                "SELECT account FROM accounts WHERE state IN ('merged', 'closed')"
            )
        }
        for key, (act_id, asked) in self.asked.items():
            wanted = Person(asked["name"], key, asked["role"], _body(asked))
            if key not in self.rows or self.rows[key].person != wanted:
                there = tuple(self.rows[key].person) if key in self.rows else None
                yield f"act {act_id} added the person {tuple(wanted)}, there is {there}"
        for row in self.rows.values():
            key = row.person.key
            of_service = began_ns is not None and (row.added_at_ns >= began_ns or key in added_late)
            who = f"person {row.person.name} of {row.person.body}"
            if of_service and not row.added_by:
                yield f"{who} was added by no act"
            if bool(row.removed_by) > bool(row.removed_at_ns):
                yield f"{who} was removed by act {row.removed_by} and acts still"
            is_removed = began_ns is not None and (
                row.removed_at_ns >= began_ns or (row.removed_at_ns > 0 and key in changed_late)
            )
            if is_removed and not row.removed_by and row.person.body not in ended:
                yield f"{who} was removed by no act"


def _since_settings(store: Store) -> tuple[set[str], set[str]]:
    """Return the keys added, and those whose row was written, after settings were first kept.

    By the order of the log: a time is what whoever writes a row by hand says it is.
    """
    rows = store.all(
        "SELECT public_key, min(change_id), max(change_id) FROM persons"
        " JOIN row_changes ON row_key = length(public_key) || ':' || public_key"
        " WHERE table_name = 'persons' GROUP BY public_key"
    )
    began = store.one("SELECT min(change_id) FROM row_changes WHERE table_name = 'role_settings'")
    if began is None:
        return set(), set()
    return {key for key, first, _ in rows if first > began}, {
        key for key, _, last in rows if last > began
    }


def _settings(after_act: int, after_proposal: int, at_ns: int, content: bytes) -> _Settings:
    kept = msgspec.msgpack.decode(content)
    persons = {key: Person(name, key, *rest) for name, key, *rest in kept["persons"]}
    since = (after_act, after_proposal, at_ns)
    return _Settings(*since, persons, frozenset(kept["of_two"]), kept["may"])


def _body(asked: dict[str, Any]) -> str:
    """Return the body of the person that was asked for."""
    if asked.get("account") is not None:
        return account_body(asked["account"])
    if asked.get("province") is not None:
        return province_body(asked["province"])
    return OWN_BODIES[asked["role"]]


def _acts(store: Store, known: _Known) -> Iterator[str]:
    """Each act is there, by persons who might; and by two where the settings say so."""
    rows = store.all(
        "SELECT act_id, acts.op, person, person_key, second, second_key, acts.proposal_id,"
        " coalesce(body, ''), coalesce(proposals.request, acts.request) FROM acts"
        " LEFT JOIN proposals ON proposals.proposal_id = acts.proposal_id ORDER BY act_id"
    )
    whose = _Whose(store, known)
    for expected, row in enumerate(rows, start=1):
        act_id, op, person, key, second, second_key, proposal, body, request = row
        if act_id != expected:
            yield f"act {expected} is missing, {act_id} comes next"
            return
        if op in OWN_ACTS and not key:
            continue
        what, settings = f"act {act_id} ({op})", known.settings_of_act(act_id)
        if second and not proposal:
            yield f"{what}: {second} was its second person by no proposal"
        if settings is None:
            continue
        yield from _who_may(what, person, known.who(key, settings, act_id), op, settings)
        if proposal:
            found = known.who(second_key, settings, act_id)
            yield from _who_may(what, second, found, "approve", settings)
            if found is not None and found.body != body:
                yield f"{what}: {second} is of {found.body}, {body} had to approve it"
            proposer = known.who(key, settings, act_id)
            if proposer is not None and body not in whose.bodies(op, request, proposer):
                yield f"{what}: {body} is not whose approval it takes"
        elif op in settings.of_two:
            yield f"{what}: takes two persons, {person} did it alone"


class _Whose:
    """Whose approval an act takes, as `second_persons` has it, as far as it can be known later on.

    Who had an approver then, or was suspended, is not asked again: the authority may stand in.
    """

    def __init__(self, store: Store, known: _Known) -> None:
        self._known = known
        self._provinces: dict[str, int] = dict(store.all("SELECT account, province FROM accounts"))
        self._into: dict[str, str] = dict(
            store.all(
                "SELECT account, became FROM account_changes"
                " JOIN accounts ON accounts.account_index = account_changes.account_index"
                " WHERE change = 'merged'"
            )
        )

    def bodies(self, op: str, request: bytes, proposer: Person) -> set[str]:
        """Return the bodies of which one had to approve it.

        Rules: CEA-PER-01, CEA-PER-02, CEA-PER-03.
        """
        asked = msgspec.msgpack.decode(request)
        account, authority = asked.get("giver") or asked.get("account"), OWN_BODIES[AUTHORITY]
        match SECOND.get(op, Second.OWN):
            case Second.HOLDER:
                return self._holders(account)
            case Second.HOLDER_OR_AUTHORITY:
                return {*self._holders(account), authority}
            case Second.SUCCESSOR:
                holders = self._holders(asked["into" if proposer.role != OPERATOR else "account"])
                return holders if proposer.role != OPERATOR else {*holders, authority}
            case Second.AUTHORITY:
                return {authority}
            case Second.DECIDER if proposer.role == OPERATOR:
                return {authority}
            case Second.PROVINCE:
                return {province_body(self._provinces.get(account, 0))}
            case Second.PERSONS:
                row = self._known.rows.get(asked["key"])
                own = () if row is None else (row.person.body,)
                return {OWN_BODIES[OPERATOR], authority, *own}
            case _:
                return {proposer.body}

    def _holders(self, account: str) -> set[str]:
        """Return the bodies of an account, and of who has taken it over since."""
        found = {account_body(account)}
        while account in self._into:
            account = self._into[account]
            found.add(account_body(account))
        return found


def _who_may(
    what: str, said: str, found: Person | None, op: str, settings: _Settings
) -> Iterator[str]:
    if found is None:
        yield f"{what}: the key of {said} stood for nobody then"
    elif found.name != said:
        yield f"{what}: its key is that of {found.name}, it says {said}"
    elif found.role not in settings.may.get(op, ()):
        yield f"{what}: {said} is {found.role}, who may not {op}"


def _proposals(store: Store, known: _Known) -> Iterator[str]:
    """Each proposal is what its hash says, by one who might; decided in time by one who might."""
    rows = store.database.stream(
        "SELECT proposals.proposal_id, op, request, request_hash, proposer, proposer_key,"
        " expires_at_ns, approved, coalesce(at_ns, 0) FROM proposals"
        " LEFT JOIN decisions ON decisions.proposal_id = proposals.proposal_id"
        " ORDER BY proposals.proposal_id"
    )
    for expected, row in enumerate(rows, start=1):
        number, op, request, request_hash, proposer, proposer_key, *decision = row
        if number != expected:
            yield f"proposal {expected} is missing, {number} comes next"
            return
        what = f"proposal {number} ({op})"
        if sha256(request).hexdigest() != request_hash:
            yield f"{what}: its request is not the one of its hash"
        yield from _decision_in_time(what, *decision)
        settings = known.settings_of_proposal(number)
        if settings is not None:
            found = known.who(proposer_key, settings)
            yield from _who_may(what, proposer, found, op, settings)


def _decision_in_time(
    what: str, expires_at_ns: int, approved: int | None, at_ns: int
) -> Iterator[str]:
    if approved is not None and at_ns >= expires_at_ns:
        yield f"{what}: was decided at {at_ns}, after it had expired at {expires_at_ns}"


def _decisions(store: Store, known: _Known) -> Iterator[str]:
    """Each decision is of a proposal there is, by another person of its body; or its proposer's."""
    rows = store.all(
        "SELECT decisions.proposal_id, approved, person, person_key, proposer_key, body"
        " FROM decisions LEFT JOIN proposals ON proposals.proposal_id = decisions.proposal_id"
        " ORDER BY decisions.proposal_id"
    )
    for number, approved, person, key, proposer_key, body in rows:
        what, settings = f"decision on proposal {number}", known.settings_of_proposal(number)
        if proposer_key is None:
            yield f"{what}: the proposal is not there"
        elif approved and key == proposer_key:
            yield f"{what}: {person} approved what that key had proposed"
        elif settings is not None:
            found = known.decider(key, settings)
            op = "approve" if approved else "reject"
            yield from _who_may(what, person, found, op, settings)
            if found is not None and found.body != body and key != proposer_key:
                yield f"{what}: {person} is of {found.body}, {body} decides"


def _account_changes(store: Store, known: _Known) -> Iterator[str]:
    """Each act about an account has its change, with its persons, and each change its act.

    Without any settings the registry has no persons; used as a library it keeps no acts.
    """
    acted: Counter[tuple[str, str, str]] = Counter()
    ops = [*_CHANGE_OF_ACT, "account_at_risk"]
    acts = store.all(
        f"SELECT op, person, second, request FROM acts WHERE op IN ({', '.join('?' * len(ops))})",
        tuple(ops),
    )
    for op, person, second, request in acts:
        asked = msgspec.msgpack.decode(request)
        change = _CHANGE_OF_ACT.get(op) or _AT_RISK[asked["at_risk"]]
        acted[asked["account"], change, f"{person} and {second}" if second else person] += 1
    changed: Counter[tuple[str, str, str]] = Counter()
    changes = store.all(
        "SELECT account, change, by_persons, count(*) FROM account_changes"
        " JOIN accounts ON accounts.account_index = account_changes.account_index"
        " WHERE by_persons <> '' GROUP BY account, change, by_persons"
    )
    for account, change, by, count in changes:
        changed[account, change, by] = count
    for which in sorted({*acted, *changed}):
        if acted[which] > changed[which] or (known.settings and acted[which] < changed[which]):
            account, change, by = which
            yield (
                f"account {account}: {by} acted {acted[which]} times, it was {change} by them"
                f" {changed[which]} times"
            )
