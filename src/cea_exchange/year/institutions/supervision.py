"""Supervision of a year's market: looks each month, opens cases, takes measures, fines.

What surveillance finds is a reason to look, and the looking is the model's own: whoever was planted
has nothing to say, whoever was not explains, and the case ends without abuse.
"""

from collections.abc import Collection, Mapping, Sequence

from cea_exchange.domain.documents.cases import (
    AlertTaken,
    AnyBody,
    CaseFigure,
    CaseGain,
    Closed,
    Note,
    Opened,
    Outcome,
)
from cea_exchange.domain.records import Side
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
from cea_exchange.venue.cases.case_files import CaseFile, accounts_of, window_of
from cea_exchange.venue.cases.case_log import document_keep
from cea_exchange.venue.market.measures import STEP_RESTRICTS
from cea_exchange.venue.operations.case_service import CaseService
from cea_exchange.venue.requests.cases import CasePenalty
from cea_exchange.year.firms import abusers
from cea_exchange.year.firms.firm import Firm, Order, Product
from cea_exchange.year.institutions.market import YearMarket, canceled
from cea_exchange.year.institutions.systems import SupervisedVenue
from cea_exchange.year.institutions.venue_record import JournaledExchange

OFFICER, HEAD = "case officer", "head of supervision"
WHY = "no explanation was given"
ALERTS_MAX = 5
"""Of one case: more of the same say no more."""


class EmbeddedVenue:
    """A venue whose journal is kept in this process; see `SupervisedVenue`."""

    def __init__(self, exchange: JournaledExchange, market: YearMarket) -> None:
        self._exchange = exchange
        self.folder = exchange.folder
        self.seat = EmbeddedSeat(exchange, market)

    def files(self) -> Mapping[str, CaseFile]:
        """Return all case files by name."""
        return self._exchange.machine.cases

    def restricted(self) -> Collection[str]:
        """Return the accounts that measures were taken against."""
        return [measure.taken.account for measure in self._exchange.machine.measures]

    def case_open(self, case: str, title: str, alerts: Sequence[AlertTaken]) -> None:
        """Open a case of alerts."""
        self._enter(case, Opened(title=title))
        for alert in alerts:
            self._enter(case, alert)

    def note(self, case: str, text: str) -> None:
        """Note something in a case."""
        self._enter(case, Note(text=text))

    def restrict(self, case: str, account: str) -> None:
        """Keep an account from buying and selling."""
        self._exchange.apply(
            control.MeasureTaken(
                by=OFFICER,
                second=HEAD,
                why=WHY,
                measure=len(self._exchange.machine.measures) + 1,
                case=case,
                account=account,
                step=STEP_RESTRICTS,
                barred=("purchases", "sales"),
            )
        )

    def penalty(self, case: str, gain: CaseGain) -> None:
        """Enter what the law says of manipulation with such a gain."""
        asked = CasePenalty(case=case, abuse="manipulation", gain=gain)
        self._enter(case, CaseService(self._exchange.machine).penalty(asked))

    def case_close(self, case: str, outcome: Outcome) -> None:
        """Close a case."""
        self._enter(case, Closed(outcome=outcome))

    def _enter(self, case: str, body: AnyBody) -> None:
        number = len(self.files().get(case, ())) + 1
        self._exchange.apply(
            control.CaseEntered(by=OFFICER, second=HEAD, case=case, entry=number, body=body)
        )


class EmbeddedSeat:
    """How abusers act in a journaled market; see `abusers.TradingSeat`."""

    def __init__(self, exchange: JournaledExchange, market: YearMarket) -> None:
        self._exchange, self._market = exchange, market

    def enter(self, order: Order) -> None:
        """Enter an order a second after the act before it."""
        with self._exchange.time.paced(SECOND_NS):
            self._market.listed([order])

    def orders_of(self, firm: Firm) -> Sequence[int]:
        """Return the firm's open orders, by id."""
        return self._exchange.machine.core.orders_of(firm.index)

    def cancel(self, firm: Firm, order_id: int) -> None:
        """Take an order away."""
        command = canceled(order_id)
        command["account_index"], command["client_order_id"] = firm.index, self._exchange.next_id()
        command["trading_date"] = self._exchange.trading_date
        self._exchange.submit(command)

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self._exchange.time.wait(seconds)

    def best_bid(self, firm: Firm, product: Product) -> int:
        """Return the best price that is bid, as a firm sees it; 0: nothing is."""
        machine = self._exchange.machine
        return int(machine.core.best(machine.product_index(product.name), Side.BUY))


class YearSupervision:
    """The supervision of a year.

    Parameters
    ----------
    venue
        The market's, with its journal.
    firms
        Of the nation.
    year
        Begins the names of its cases.
    """

    def __init__(self, venue: SupervisedVenue, firms: Sequence[Firm], year: int) -> None:
        self._venue, self._firms, self._year = venue, firms, year
        self._follower = VenueTape(venue.folder)

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
        known = self._known()
        for key, alerts in found.items():
            if key not in known:
                self._case(tape, facts, alerts[-ALERTS_MAX:])

    def _known(self) -> set[tuple[str, tuple[str, ...]]]:
        return {
            (entry.body.pattern, entry.body.accounts)
            for file in self._venue.files().values()
            for entry in file
            if isinstance(entry.body, AlertTaken)
        }

    def _case(self, tape: Tape, facts: Facts, alerts: Sequence[Alert]) -> None:
        venue = self._venue
        name = f"{self._year}-{len(venue.files()) + 1:03}"
        last = alerts[-1]
        columns = Columns(tape, facts.links)
        is_planted = self._is_planted(last.accounts)
        taken = []
        for alert in alerts:
            gain = gain_of(columns, alert.accounts, alert.first_seq, alert.last_seq)
            script = self._reproduced(tape, facts, alert) if is_planted and alert is last else ""
            taken.append(alert_taken(alert, gain.realised, gain.marked, script))
        venue.case_open(name, f"{last.pattern} by {', '.join(last.accounts)}", taken)
        if not is_planted:
            venue.note(name, "asked; explained")
            venue.case_close(name, "no_abuse")
            return
        venue.note(name, "asked; no explanation was given")
        for account in last.accounts:
            # Unless a case before has done so.
            if account not in venue.restricted():
                venue.restrict(name, account)
        file = venue.files()[name]
        gain = gain_of(columns, accounts_of(file), *window_of(file))
        venue.penalty(name, CaseGain(realised=gain.realised, marked=gain.marked))
        venue.case_close(name, "to_authority")

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
        return document_keep(self._venue.folder, script_text(script, alert).encode())


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
