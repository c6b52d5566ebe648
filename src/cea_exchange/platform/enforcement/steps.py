"""The steps of a case: in which states each may be taken, and to which it leads.

    opened --notice--> noticed --decide--> decided --serve--> served --close--> closed
       |                  |  ^                                  |
       +------drop--------+  +--notice of the second stage------+--ruling--> revoked
       v
    dropped

An order to correct is no penalty and changes no state: it comes alone, before the fine or with it.
Which terms and steps each waits for stands where it is taken.
"""

from typing import NamedTuple


class Step(NamedTuple):
    """One step.

    Attributes
    ----------
    after
        The states in which a case may take it.
    state
        The state it leads to; '' leaves it as it is.
    """

    after: frozenset[str]
    state: str = ""


_OPEN = frozenset({"opened", "noticed", "revoked"})
_DECIDED = frozenset({"decided", "served"})
_LIVE = _OPEN | _DECIDED
_NOTICED = frozenset({"noticed"})
_APPEALED = frozenset({"noticed", *_DECIDED})

STEPS = {
    "order": Step(_LIVE),
    "refuse": Step(_LIVE),
    "correct": Step(_LIVE),
    "notice": Step(frozenset({"opened", "revoked", "served"}), "noticed"),
    "notice_stop": Step(frozenset({"opened", "revoked", "served"}), "noticed"),
    "statement": Step(_NOTICED),
    "ask_hearing": Step(_NOTICED),
    "tell_hearing": Step(_NOTICED),
    "hear": Step(_NOTICED),
    "withdraw_hearing": Step(_NOTICED),
    "legal_review": Step(_NOTICED),
    "joint_decision": Step(_NOTICED),
    "pause": Step(_OPEN),
    "resume": Step(_OPEN),
    "extend": Step(_OPEN),
    "decide": Step(_NOTICED, "decided"),
    "serve": Step(frozenset({"decided"}), "served"),
    "publish": Step(_APPEALED),
    "pay": Step(_APPEALED),
    "instalments": Step(_APPEALED),
    "ask_review": Step(_APPEALED),
    "sue": Step(_APPEALED),
    "ruling": Step(_APPEALED),
    "remind": Step(_APPEALED),
    "ask_court": Step(_APPEALED),
    "stop_production": Step(_APPEALED),
    "cut": Step(_LIVE),
    "drop": Step(_OPEN, "dropped"),
    "close": Step(frozenset({"served"}), "closed"),
}
OWN = frozenset({"decide", "pay", "instalments", "ruling", "cut"})
"""Steps with figures of their own."""
OF_TWO = frozenset({"drop", "stop_production"})
"""Steps that decide something, and take two persons (CEA-REG-02)."""
OVER = frozenset({"dropped", "closed"})
