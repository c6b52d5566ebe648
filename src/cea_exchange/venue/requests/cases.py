"""Requests about case files: opened of alerts, added to, and closed with an outcome."""

from typing import Annotated, Any

import msgspec

from cea_exchange.control_plane.fields import field
from cea_exchange.control_plane.maker_checker import Prepared, Second
from cea_exchange.domain.documents import cases
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol import control
from cea_exchange.protocol.operators import Operator
from cea_exchange.venue.requests.base import ActRequest, AdminRequest, Venue, Why, WhyOf

CaseName = Annotated[control.Name, field("The case.")]
Alerts = Annotated[
    tuple[cases.AlertTaken, ...],
    msgspec.Meta(max_length=100),
    field("Alerts as `surveil --json` printed them, JSON Lines.", typed="alerts"),
]
Title = Annotated[cases.Line, field("What it is.")]


class CaseList(AdminRequest, tag="cases"):
    """Print all case files: whom they are about, and how they ended."""

    command = "case list"
    example = "case list --key rex"

    def look(self, venue: Venue) -> dict[str, Any]:
        return {"cases": venue.case_rows()}


class CaseShow(AdminRequest, tag="case"):
    """Print a case file: every entry with who, when and the hash that ties it to all before it."""

    command = "case show"
    example = "case show 2025-17 --out 2025-17.html --key rex"

    case: CaseName

    def look(self, venue: Venue) -> dict[str, Any]:
        return {"case": venue.case_shown(self.case)}


class CaseOpen(ActRequest, tag="case_open"):
    """Open a case file of alerts; their reproducers are kept beside it."""

    command = "case open"
    example = 'case open 2025-17 "spoofing by P001" --alerts alerts.jsonl'

    case: CaseName
    title: Title
    alerts: Alerts = ()

    def act(self, venue: Venue, by: Operator) -> dict[str, Any]:
        bodies: list[cases.AnyBody] = [cases.Opened(title=self.title), *self.alerts]
        return venue.case_enter(self.case, bodies, by, self.why)


class CaseAlerts(ActRequest, tag="case_alerts"):
    """Add alerts to a case."""

    command = "case alert"
    example = "case alert 2025-17 alerts.jsonl"

    case: CaseName
    alerts: Annotated[Alerts, msgspec.Meta(min_length=1)]

    def act(self, venue: Venue, by: Operator) -> dict[str, Any]:
        return venue.case_enter(self.case, self.alerts, by, self.why)


class CaseNote(ActRequest, tag="case_note"):
    """Add a note to a case, one line; a longer one is a document."""

    command = "case note"
    example = 'case note 2025-17 "called P001: a new trader, will explain by Friday"'

    case: CaseName
    text: Annotated[cases.Text, field("What is noted.")]

    def act(self, venue: Venue, by: Operator) -> dict[str, Any]:
        return venue.case_enter(self.case, (cases.Note(text=self.text),), by, self.why)


class CaseDocument(ActRequest, tag="case_document"):
    """Add a document to a case by its SHA-256: a file that is kept, or only its hash named."""

    command = "case document"
    example = 'case document 2025-17 "report of P001" --file report.pdf'

    case: CaseName
    title: Title
    document: Annotated[
        cases.Document | None,
        field("A file; it is kept in DIR/documents.", typed="document", name="file"),
    ] = None
    sha256: Annotated[
        cases.Sha256 | None, field("Its SHA-256, where the file stays elsewhere.", name="--sha256")
    ] = None

    def act(self, venue: Venue, by: Operator) -> dict[str, Any]:
        if (self.document is None) == (self.sha256 is None):
            raise FrameError(
                VenueRefusal.BAD_REQUEST,
                expected="a file, or a SHA-256",
                got="neither" if self.document is None else "both",
                where="document",
            )
        named = self.document or cases.Document(title=self.title, sha256=str(self.sha256))
        body = msgspec.structs.replace(named, title=self.title)
        return venue.case_enter(self.case, (body,), by, self.why)


class CasePenalty(ActRequest, tag="case_penalty", kw_only=True):
    """Propose to enter what may be decided of a case's abuse, by the law and what was gained."""

    second = Second.OPERATOR
    command = "case penalty"
    example = "case penalty 2025-17 manipulation --key an"

    case: CaseName
    abuse: Annotated[cases.Abuse, field("manipulation or disturbance.")]
    gain: Annotated[
        cases.CaseGain,
        field("Yuan gained; left out, computed from the journal, CEA-ABU-04.", typed="gain"),
    ]
    law: Annotated[
        cases.LawMarket | None, field("Of which market; left out, of this one.", name="--law")
    ] = None
    why: Why = ""

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        body = venue.penalty_of(self)
        what = (
            f"enter of case {self.case}: {body.abuse}, gained {body.gain_fen.total} fen, "
            f"fine of {body.least} to {body.most} fen ({body.rule})"
        )
        return venue.case_prepared(self.case, body, what, by, self.why)


class CaseClose(ActRequest, tag="case_close", kw_only=True):
    """Propose to close a case; nothing is entered any more."""

    second = Second.OPERATOR
    command = "case close"
    example = 'case close 2025-17 measures --why "restricted until August" --key an'

    case: CaseName
    outcome: Annotated[cases.Outcome, field("no_abuse, measures or to_authority.")]
    why: WhyOf

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        what = f"close case {self.case}: {self.outcome}"
        body = cases.Closed(outcome=self.outcome)
        return venue.case_prepared(self.case, body, what, by, self.why)
