"""Supervision of a year's market: looks each month, opens cases, takes measures, fines.

What surveillance finds is a reason to look, and the looking is the model's own: whoever was planted
has nothing to say, whoever was not explains, and the case ends without abuse.
"""

from collections.abc import Sequence

import numpy as np

from cea_exchange.domain.compliance.enforcement.abuse import Abuse, abuse_penalty
from cea_exchange.domain.documents.cases import (
    AlertTaken,
    AnyBody,
    CaseFigure,
    CaseGain,
    Closed,
    Note,
    Opened,
    PenaltyComputed,
)
from cea_exchange.domain.records import COMMAND_DTYPE, CommandKind, Side
from cea_exchange.protocol import control
from cea_exchange.supervision.alerts import Alert
from cea_exchange.supervision.columns.market import Columns
from cea_exchange.supervision.gains import gain_of
from cea_exchange.supervision.limits import limits_packaged
from cea_exchange.supervision.patterns.context import Facts
from cea_exchange.supervision.reproducer import NotReproduced, reproducer, script_text
from cea_exchange.supervision.sources import VenueTape
from cea_exchange.supervision.surveillance import surveil
from cea_exchange.supervision.tape import SECOND_NS, Tape
from cea_exchange.venue.cases.case_files import accounts_of, window_of
from cea_exchange.venue.cases.case_log import document_keep
from cea_exchange.venue.market.measures import STEP_RESTRICTS
from cea_exchange.year.firms import abusers
from cea_exchange.year.firms.firm import Firm, Order, Product
from cea_exchange.year.institutions.market import YearMarket
from cea_exchange.year.institutions.venue_record import PACE_S, JournaledExchange

OFFICER, HEAD = "case officer", "head of supervision"
ABUSE: Abuse = "manipulation"
ALERTS_MAX = 5
"""Of one case: more of the same say no more."""


class AbuserSeat:
    """How abusers act in a journaled market."""

    def __init__(self, exchange: JournaledExchange, market: YearMarket) -> None:
        self._exchange, self._market = exchange, market

    def enter(self, order: Order) -> None:
        """Enter an order a second after what came before."""
        self._exchange.pace_ns = SECOND_NS
        self._market.listed([order])
        self._exchange.pace_ns = PACE_S * SECOND_NS

    def orders_of(self, firm: Firm) -> Sequence[int]:
        """Return the firm's open orders, by id."""
        return self._exchange.machine.core.orders_of(firm.index)

    def cancel(self, firm: Firm, order_id: int) -> None:
        """Take an order away."""
        command = np.zeros(1, COMMAND_DTYPE)
        command["kind"], command["account_index"] = CommandKind.CANCEL, firm.index
        command["order_id"], command["client_order_id"] = order_id, self._exchange.next_id()
        command["trading_date"] = self._exchange.trading_date
        self._exchange.submit(command)

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self._exchange.wait(seconds)

    def best_bid(self, product: Product) -> int:
        """Return the best price that is bid; 0: nothing is."""
        machine = self._exchange.machine
        return int(machine.core.best(machine.product_index(product.name), Side.BUY))


class YearSupervision:
    """The supervision of a year.

    Parameters
    ----------
    exchange
        The market, with its journal.
    firms
        Of the nation.
    year
        Begins the names of its cases.
    """

    def __init__(self, exchange: JournaledExchange, firms: Sequence[Firm], year: int) -> None:
        self._exchange, self._firms, self._year = exchange, firms, year
        self._follower = VenueTape(exchange.folder)

    def look(self) -> None:
        """Look through all there is, and act on what is new.

        Notes
        -----
        Rules: CEA-SVL-01, CEA-CAS-01, CEA-MSR-02, CEA-MSR-03, CEA-CAS-04.
        """
        self._follower.take()
        tape = self._follower.tape()
        facts = facts_of(self._firms)
        found: dict[tuple[str, tuple[str, ...]], list[Alert]] = {}
        for alert in surveil(tape, facts=facts):
            if alert.grade != "watch":
                found.setdefault((alert.pattern, alert.accounts), []).append(alert)
        for key, alerts in found.items():
            if key not in self._known():
                self._case(tape, facts, alerts[-ALERTS_MAX:])

    def _known(self) -> set[tuple[str, tuple[str, ...]]]:
        return {
            (entry.body.pattern, entry.body.accounts)
            for file in self._exchange.machine.cases.values()
            for entry in file
            if isinstance(entry.body, AlertTaken)
        }

    def _case(self, tape: Tape, facts: Facts, alerts: Sequence[Alert]) -> None:
        name = f"{self._year}-{len(self._exchange.machine.cases) + 1:03}"
        last = alerts[-1]
        columns = Columns(tape, facts.links)
        is_planted = self._is_planted(last.accounts)
        self._enter(name, Opened(title=f"{last.pattern} by {', '.join(last.accounts)}"))
        for alert in alerts:
            gain = gain_of(columns, alert.accounts, alert.first_seq, alert.last_seq)
            script = self._reproduced(tape, facts, alert) if is_planted and alert is last else ""
            self._enter(name, alert_taken(alert, gain.realised, gain.marked, script))
        if not is_planted:
            self._enter(name, Note(text="asked; explained"))
            self._enter(name, Closed(outcome="no_abuse"))
            return
        self._enter(name, Note(text="asked; no explanation was given"))
        for account in last.accounts:
            self._restricted(name, account)
        self._enter(name, self._penalty(name, columns))
        self._enter(name, Closed(outcome="to_authority"))

    def _is_planted(self, accounts: Sequence[str]) -> bool:
        planted = {
            firm.account for scheme in abusers.schemes(self._firms) for firm in scheme.firms
        }
        return set(accounts) <= planted

    def _reproduced(self, tape: Tape, facts: Facts, alert: Alert) -> str:
        try:
            script = reproducer(tape, alert, limits=limits_packaged(), facts=facts)
        except NotReproduced:
            return ""
        return document_keep(self._exchange.folder, script_text(script, alert).encode())

    def _restricted(self, case: str, account: str) -> None:
        """Keep an account from buying and selling, unless a case before has done so."""
        measures = self._exchange.machine.measures
        if any(measure.taken.account == account for measure in measures):
            return
        self._exchange.apply(
            control.MeasureTaken(
                by=OFFICER,
                second=HEAD,
                why="no explanation was given",
                measure=len(measures) + 1,
                case=case,
                account=account,
                step=STEP_RESTRICTS,
                barred=("purchases", "sales"),
            )
        )

    def _penalty(self, case: str, columns: Columns) -> PenaltyComputed:
        """Return what the law says of the case's gain in its window."""
        file = self._exchange.machine.cases[case]
        first, last = window_of(file)
        gain = gain_of(columns, accounts_of(file), first, last)
        found = abuse_penalty("cea", ABUSE, gain.total)
        return PenaltyComputed(
            market="cea",
            abuse=ABUSE,
            rule=found.law.rule,
            first_seq=first,
            last_seq=last,
            gain_fen=CaseGain(realised=gain.realised, marked=gain.marked),
            confiscated=found.confiscated,
            least=found.organisation.least,
            most=found.organisation.most,
            persons_least=found.persons.least if found.persons else 0,
            persons_most=found.persons.most if found.persons else 0,
        )

    def _enter(self, case: str, body: AnyBody) -> None:
        number = len(self._exchange.machine.cases.get(case, ())) + 1
        self._exchange.apply(
            control.CaseEntered(by=OFFICER, second=HEAD, case=case, entry=number, body=body)
        )


def facts_of(firms: Sequence[Firm]) -> Facts:
    """Return what the supervisor knows besides: the washer's bank account is the washed one's."""
    links = tuple(
        (scheme.firms[0].account, scheme.firms[1].account)
        for scheme in abusers.schemes(firms)
        if scheme.pattern == "wash_group"
    )
    return Facts(links=links)


def alert_taken(alert: Alert, realised: int, marked: int, reproducer: str) -> AlertTaken:
    """Return an alert as a case has it."""
    return AlertTaken(
        pattern=alert.pattern,
        rule=alert.rule,
        grade=alert.grade,
        trading_date=alert.trading_date,
        product=alert.product,
        accounts=alert.accounts,
        counterparties=alert.counterparties,
        first_seq=alert.first_seq,
        last_seq=alert.last_seq,
        figures=tuple(CaseFigure(f.name, f.value, f.relation, f.threshold) for f in alert.figures),
        sentence=alert.sentence,
        gain_fen=CaseGain(realised=realised, marked=marked),
        reproducer=reproducer,
    )
