"""What waits for a second person: shown with all it says, approved, refused, taken back."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from starlette.responses import Response

from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.screens.access import KeyedSystems, Rights
from cea_exchange.screens.institution.asking import (
    act,
    done_see,
    done_words,
    rows_look,
    sent,
    systems_of,
    word_of,
)
from cea_exchange.screens.page import Page
from cea_exchange.screens.reading import NOTHING, Reading
from cea_exchange.screens.serving.forms import Form, Trouble
from cea_exchange.screens.site import Site
from cea_exchange.screens.texts.catalogue import texts
from cea_exchange.screens.visit import Away, Visit
from cea_exchange.screens.waiting import WaitingMonitor, waiting_digest

INSTITUTIONS = ("registry", "platform")
CHANNEL = "waiting_institution"
WAITED_FOR = {
    "registry": ("authority", "province", "initiator", "approver"),
    "platform": (
        *("authority", "province", "city", "preparer", "reviewer", "signatory", "verifier"),
    ),
}
"""Roles whose proposals are on this page; operators have their own."""
MAY_NOT_APPROVE = ("initiator",)
_HIDDEN = frozenset({"op", "request_id", "content", "encoding"})
_DAYS = ("_on", "_by", "until")
_FEN = ("fine", "paid", "cash", "gains", "traded_value", "reference_price")


class Waiting(NamedTuple):
    """A proposal as a person reads it.

    Attributes
    ----------
    what
        The act, in words.
    terms
        What it was asked with: names and values.
    may_decide, is_own
        Whether the reader may approve it; whether it is the reader's, who may take it back.
    """

    system: str
    number: int
    what: str
    terms: list[tuple[str, str]]
    by: str
    until_ns: int
    request_hash: str
    may_decide: bool
    is_own: bool


def sees_proposals(rights: Rights) -> bool:
    """Whether somebody has proposals to see here."""
    return any(rights.role(system) in roles for system, roles in WAITED_FOR.items())


async def waiting_of(
    visit: Visit, systems: tuple[str, ...] = INSTITUTIONS
) -> tuple[list[Waiting], list[Trouble]]:
    """Return what waits for the reader's body, or of the reader's own, at some institutions."""
    found, troubles = [], []
    for system in systems:
        seat = visit.rights.seat(system)
        if seat is None or seat.role not in WAITED_FOR[system]:
            continue
        try:
            rows, trouble = await rows_look(visit, system, "proposals", "proposals")
        except Away as away:
            # What waits elsewhere can be decided meanwhile.
            rows, trouble = [], away.trouble
        if trouble is not None:
            troubles.append(trouble)
        key = systems_of(visit).keys.public
        found += [_waiting(visit, system, row, key) for row in rows]
    return found, troubles


def _waiting(visit: Visit, system: str, row: dict[str, Any], key: str) -> Waiting:
    seat = visit.rights.seat(system)
    assert seat is not None
    is_own = row["proposer_key"] == key
    may = row["body"] == seat.body and seat.role not in MAY_NOT_APPROVE and not is_own
    return Waiting(
        system=system,
        number=row["proposal_id"],
        what=word_of(visit)(f"act.{row['op']}"),
        terms=terms_shown(visit.reading, row["request"]),
        by=row["proposer"],
        until_ns=row["expires_at_ns"],
        request_hash=row["request_hash"],
        may_decide=may,
        is_own=is_own,
    )


def terms_shown(reading: Reading, request: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a request asks with as names and values for a person."""
    words = texts(reading.language)
    if "amount" in request and not request.get("product"):
        # Of cash: fen, where there is no product.
        request = {"cash" if name == "amount" else name: request[name] for name in request}
    return [
        (words.get(f"term.{name}", name), term_shown(reading, name, value))
        for name, value in request.items()
        if name not in _HIDDEN and value not in (None, "")
    ]


def term_shown(reading: Reading, name: str, value: Any) -> str:
    """Return one value for a person: amounts with their units, days as days."""
    if isinstance(value, dict):
        return "; ".join(f"{key} {term_shown(reading, name, each)}" for key, each in value.items())
    if isinstance(value, bool) or not isinstance(value, int):
        return str(value)
    if name == "province":
        return province_name(reading.language, value)
    if name.endswith(_DAYS) and value > 1_000_00_00:
        return reading.day(value)
    if name in _FEN:
        return reading.yuan(value)
    return str(value) if name.endswith("year") else reading.tonnes(value)


def province_name(language: str, code: int) -> str:
    """Return a province's name."""
    province = PROVINCES.get(code)
    if province is None:
        return NOTHING
    return province.term if language == "zh" else province.name


async def proposals_show(visit: Visit) -> Response:
    """Show what waits."""
    return await _page(visit)


async def _page(
    visit: Visit, form: Form | None = None, at: str = "", status: int = 200
) -> Response:
    waiting, troubles = await waiting_of(visit)
    forms = {f"{each.system}-{each.number}": visit.empty_form() for each in waiting}
    if form is not None:
        # What was decided meanwhile is not there any more: why it was refused stands above.
        if at in forms:
            forms[at] = visit.again(form)
        else:
            troubles += form.troubles.values()
    return visit.show(
        "institution/proposals.html",
        live=["status", CHANNEL],
        status=status,
        waiting=waiting,
        digest=waiting_digest((each.system, each.number) for each in waiting),
        forms=forms,
        troubles=troubles,
        done=done_words(visit),
    )


async def _decide(visit: Visit, form: Form) -> Response:
    system = form.choice("system", INSTITUTIONS)
    number = form.whole("number")
    decision = form.choice("decision", ("approve", "reject"))
    request: dict[str, Any] = {"op": decision, "proposal": number}
    if decision == "approve":
        request["request_hash"] = form.value("request_hash")
    else:
        request["why"] = form.line("why")
    if form.is_sound:
        answer = await act(visit, form, system, request, fields=("why",))
        if answer is not None:
            done = "approved" if decision == "approve" else "rejected"
            return done_see(visit, "/approvals", answer, done)
    return await _page(visit, form, f"{system}-{number}", status=422)


def open_pages(site: Site, systems: KeyedSystems) -> None:
    """Publish what comes to wait to whoever has the page open."""
    WaitingMonitor(site, systems, CHANNEL, INSTITUTIONS)


PAGES = (
    Page(
        path="/approvals",
        name="approvals",
        section="officials",
        show=proposals_show,
        acts={"": sent(_decide)},
        allowed=sees_proposals,
    ),
)
