"""Case files for operators: what they see of them, and what entries are made of."""

from collections.abc import Sequence
from typing import Any

import msgspec

from cea_exchange.domain.compliance.enforcement.abuse import abuse_penalty
from cea_exchange.domain.documents.cases import AnyBody, Opened, PenaltyComputed
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol import control
from cea_exchange.protocol.operators import Operator
from cea_exchange.venue.cases import case_files
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.requests.cases import CasePenalty

SECOND_TO_COME = "(who agrees)"
CCER_PROFILE = "ccer"


class CaseService:
    """Case files as the market's state has them.

    Parameters
    ----------
    machine
        The state.
    """

    def __init__(self, machine: VenueStateMachine) -> None:
        self._machine = machine

    def rows(self) -> list[dict[str, Any]]:
        """Return all files, a row each."""
        return [case_files.summary(name, file) for name, file in self._machine.cases.items()]

    def shown(self, name: str, measures: list[dict[str, Any]]) -> dict[str, Any]:
        """Return a file with its measures; FrameError if there is none of that name."""
        return case_files.shown(name, self._file(name), measures)

    def place(self, name: str) -> dict[str, Any]:
        """Return how far a file goes: its entries, and the hash of the last."""
        file = self._file(name)
        return {"case": name, "entries": len(file), "head": case_files.heads(file)[-1]}

    def open_check(self, name: str) -> None:
        """Refuse a measure of a file that is closed; one kept elsewhere may have any name."""
        if case_files.is_closed(self._machine.cases.get(name, ())):
            raise FrameError(
                VenueRefusal.CASE_CLOSED, expected="an open case", got=name, where="case"
            )

    def entries(
        self, name: str, bodies: Sequence[AnyBody], by: Operator, why: str
    ) -> list[control.CaseEntered]:
        """Return entries that fit, all of them; FrameError if one does not."""
        file = self._machine.cases.get(name, [])
        if not file and not isinstance(bodies[0], Opened):
            self._file(name)
        self.open_check(name)
        made: list[control.CaseEntered] = []
        for body in bodies:
            made.append(
                control.CaseEntered(
                    by=by.name, why=why, case=name, entry=len(file) + len(made) + 1, body=body
                )
            )
        # All or none: what comes second must fit behind what comes first.
        known = self._machine.account_names
        accounts = {account: index for index, account in enumerate(known)}
        for number, act in enumerate(made):
            before = {name: [*file, *made[:number]]}
            agreed = _as_of_two(act)
            event_seq = self._machine.core.event_seq
            refusal = case_files.entry_refusal(before, accounts, event_seq, agreed)
            if refusal is not None:
                raise refusal
        return made

    def proposal_check(self, name: str, body: AnyBody, by: Operator, why: str) -> None:
        """Refuse to propose an entry that would not fit."""
        self.entries(name, (body,), by, why)

    def penalty(self, request: CasePenalty) -> PenaltyComputed:
        """Return what the law says of a case's abuse and gain.

        Notes
        -----
        Rules: CEA-CAS-04, CEA-ABU-01, CEA-ABU-02, CEA-ABU-03.
        """
        file = self._file(request.case)
        market = request.law or ("ccer" if self._machine.profile.name == CCER_PROFILE else "cea")
        found = abuse_penalty(market, request.abuse, request.gain.total)
        first, last = case_files.window_of(file)
        return PenaltyComputed(
            market=market,
            abuse=request.abuse,
            rule=found.law.rule,
            first_seq=first,
            last_seq=last,
            gain_fen=request.gain,
            confiscated=found.confiscated,
            least=found.organisation.least,
            most=found.organisation.most,
            persons_least=found.persons.least if found.persons else 0,
            persons_most=found.persons.most if found.persons else 0,
        )

    def _file(self, name: str) -> list[control.CaseEntered]:
        if name not in self._machine.cases:
            raise FrameError(
                VenueRefusal.CASE_UNKNOWN, expected="a case that was opened", got=name, where="case"
            )
        return self._machine.cases[name]


def _as_of_two(act: control.CaseEntered) -> control.CaseEntered:
    """Return an entry as if a second person had agreed, to see whether there is any use."""
    return msgspec.structs.replace(act, second=SECOND_TO_COME)
