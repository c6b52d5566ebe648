"""Supervision of a year in figures: a table of its cases, its disclosures, how well it found.

    tables/cases.csv           a row a case
    published/                 what the exchange disclosed, with the public list of measures
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from cea_exchange.disclosure.periods import PeriodKind
from cea_exchange.disclosure.publishing import disclosure_write, disclosures
from cea_exchange.disclosure.record import record_read
from cea_exchange.domain.calendar import TradingCalendar, date_of_number
from cea_exchange.domain.documents.cases import Closed, PenaltyComputed
from cea_exchange.domain.records import EventKind, Reason
from cea_exchange.protocol import control
from cea_exchange.supervision.tape import Tape
from cea_exchange.venue.cases.case_files import accounts_of, alerts_of
from cea_exchange.venue.cases.case_log import case_files_read
from cea_exchange.venue.maintenance.verify import verify_data
from cea_exchange.venue.market.measures import Measure
from cea_exchange.year.firms import abusers
from cea_exchange.year.firms.firm import Firm
from cea_exchange.year.institutions.venue_record import FOLDER as VENUE
from cea_exchange.year.outcome.page import heading, table
from cea_exchange.year.outcome.speech import say
from cea_exchange.year.setting import Mode

PUBLISHED = "published"
CASES = "cases.csv"
PUBLISHED_KINDS: tuple[PeriodKind, ...] = ("week", "month", "year")


class CaseRow(NamedTuple):
    """A case of a year.

    Attributes
    ----------
    planted
        Whether it is of a scheme that was planted, and its pattern the scheme's: yes, or no.
    measures
        Numbers of its measures, each of them in force at the year's end.
    refused
        Orders of its accounts that were refused for a measure.
    """

    case: str
    pattern: str
    accounts: str
    opened_on: int
    alerts: int
    grade: str
    planted: str
    outcome: str
    measures: str
    refused: int
    gained_fen: int
    fine_least_fen: int
    fine_most_fen: int


class Supervised(Struct, frozen=True, kw_only=True):
    """What supervision came to.

    Attributes
    ----------
    planted, found
        Schemes, and those of which a case was opened under their own pattern.
    explained
        Cases of firms that had done nothing: false alarms.
    days, orders
        What they are of.
    frames
        Of the venue's journal, played once more and compared with what it recorded.
    """

    cases: list[CaseRow]
    planted: int
    found: int
    explained: int
    days: int
    orders: int
    frames: int


def supervised_of(
    folder: Path, mode: Mode, firms: Sequence[Firm], calendar: TradingCalendar
) -> Supervised:
    """Write a year's table of cases and its disclosures; return the results of supervision.

    Parameters
    ----------
    mode
        Of daemons the year's folder is the venue's too.

    Raises
    ------
    Divergence
        The venue's journal does not come to what it recorded.
    """
    data = folder / VENUE if mode == "embedded" else folder
    verified = verify_data(data)
    record = record_read(data)
    for disclosure in disclosures(record, calendar, PUBLISHED_KINDS):
        disclosure_write(folder / PUBLISHED, disclosure)
    schemes = abusers.schemes(firms)
    measures = [each.measure for each in record.measures]
    rows = [
        _row(name, file, schemes, measures, record.tape)
        for name, file in case_files_read(data).items()
    ]
    _written(folder / "tables" / CASES, rows)
    found = {row.accounts for row in rows if row.planted == "yes"}
    accepted = record.tape.events["kind"] == EventKind.ORDER_ACCEPTED
    return Supervised(
        cases=rows,
        planted=len(schemes),
        found=len(found),
        explained=sum(row.outcome == "no_abuse" for row in rows),
        days=len(record.close_rows),
        orders=int(np.count_nonzero(accepted)),
        frames=verified.frames,
    )


def _row(
    name: str,
    file: Sequence[control.CaseEntered],
    schemes: Sequence[abusers.Scheme],
    measures: Iterable[Measure],
    tape: Tape,
) -> CaseRow:
    accounts, alerts = accounts_of(file), alerts_of(file)
    own = {
        (scheme.pattern, tuple(sorted(firm.account for firm in scheme.firms)))
        for scheme in schemes
    }
    penalty = next((e.body for e in file if isinstance(e.body, PenaltyComputed)), None)
    last = file[-1].body
    taken = [
        each.taken.measure
        for each in measures
        if each.taken.account in accounts and each.lifted is None
    ]
    return CaseRow(
        case=name,
        pattern=alerts[-1].pattern,
        accounts=" ".join(accounts),
        opened_on=alerts[-1].trading_date,
        alerts=len(alerts),
        grade=alerts[-1].grade,
        planted="yes" if (alerts[-1].pattern, accounts) in own else "no",
        outcome=last.outcome if isinstance(last, Closed) else "open",
        measures=" ".join(map(str, taken)) if penalty else "",
        refused=_refused(tape, accounts) if penalty else 0,
        gained_fen=penalty.gain_fen.total if penalty else 0,
        fine_least_fen=penalty.least if penalty else 0,
        fine_most_fen=penalty.most if penalty else 0,
    )


def _refused(tape: Tape, accounts: Sequence[str]) -> int:
    """Return how many orders of accounts a measure kept out."""
    indexes = [tape.accounts.index(account) for account in accounts]
    events = tape.events
    is_refused = (events["kind"] == EventKind.ORDER_REJECTED) & (
        events["reason"] == Reason.RESTRICTED
    )
    return int(np.count_nonzero(is_refused & np.isin(events["account_index"], indexes)))


def _written(path: Path, rows: Sequence[CaseRow]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(CaseRow._fields)
        writer.writerows(rows)


def report_part(supervised: Supervised) -> Iterator[str]:
    """Yield the report's part on supervision."""
    yield heading("Supervision")
    yield f"<p>{escape(sentence(supervised))}</p>"
    heads_of = ("case", "pattern", "accounts", "found", "outcome", "refused", "fine (yuan)")
    lines = [
        (
            row.case,
            row.pattern,
            row.accounts,
            str(date_of_number(row.opened_on)),
            row.outcome,
            str(row.refused),
            say("{:,} to {:,}", row.fine_least_fen // 100, row.fine_most_fen // 100)
            if row.fine_most_fen
            else "-",
        )
        for row in supervised.cases
    ]
    yield table([say(head) for head in heads_of], lines, numbers={5})


def sentence(supervised: Supervised) -> str:
    """Return what supervision came to in a sentence."""
    return say(
        "{} of {} planted schemes were found; {} of {} cases were of firms that had done nothing,"
        " in {} days with {:,} orders.",
        supervised.found, supervised.planted, supervised.explained, len(supervised.cases),
        supervised.days, supervised.orders,
    )  # fmt: skip
