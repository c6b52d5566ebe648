"""The steps of a case: after which state each may come, what it leads to, which clock it starts.

    opened --> ordered --> noticed --> decided --> served --> paid --> closed
                  |                       ^           |
                  +--> refused -----------+           +--> appealed --> ...

A correction order is no penalty: it comes alone or before the fine. Neither review nor suit keeps a
penalty from being carried out.
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
    clock
        Of `enforcement.clocks`, that begins with it; '' is none.
    """

    after: frozenset[str]
    state: str
    clock: str = ""


_OPEN = frozenset({"opened", "ordered", "refused", "noticed"})
_DECIDED = frozenset({"decided", "served"})

STEPS = {
    "order": Step(frozenset({"opened", "decided", "served"}), "ordered"),
    "refuse": Step(frozenset({"ordered"}), "refused"),
    "correct": Step(frozenset({"ordered", "refused"}), ""),
    "notice": Step(frozenset({"opened", "ordered", "refused"}), "noticed", "statement"),
    "ask_hearing": Step(frozenset({"noticed"}), "", "hearing_notice"),
    "decide": Step(frozenset({"noticed"}), "decided", "serve"),
    "serve": Step(frozenset({"decided"}), "served", "pay"),
    "publish": Step(_DECIDED, ""),
    "pay": Step(frozenset({"ordered", "refused", "noticed", *_DECIDED}), ""),
    "ask_review": Step(_DECIDED, ""),
    "sue": Step(_DECIDED, ""),
    "ask_court": Step(frozenset({"served"}), ""),
    "stop_production": Step(frozenset({"refused", *_DECIDED}), ""),
    "cut": Step(frozenset({"refused", *_DECIDED}), ""),
    "drop": Step(_OPEN, "closed"),
    "close": Step(frozenset({"served", "decided"}), "closed"),
}
