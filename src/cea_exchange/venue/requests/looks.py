"""Requests that only look: status, positions, statements, sessions, what waits."""

from typing import Annotated, Any

import msgspec

from cea_exchange.control_plane.fields import field
from cea_exchange.venue.requests.base import Account, AdminRequest, Seq, Venue


class Status(AdminRequest, tag="status"):
    """Print where a running venue stands."""

    def look(self, venue: Venue) -> dict[str, Any]:
        return venue.status()


class Statistics(AdminRequest, tag="statistics"):
    """Print each product's prices and totals of the day, by method."""

    command = "market statistics"
    example = "market statistics"

    def look(self, venue: Venue) -> dict[str, Any]:
        return venue.statistics()


class Position(AdminRequest, tag="position"):
    """Print what an account holds at the venue."""

    command = "account position"
    example = "account position P001 --key rex"

    account: Account

    def look(self, venue: Venue) -> dict[str, Any]:
        return venue.position(self.account)


class CashReconcile(AdminRequest, tag="cash_reconcile"):
    """Print whether the cash comes out, where the exchange settles it: bank, events and balances.

    Of each account what was booked by the bank's references, what events moved and what it has must
    agree; the fees are the exchange's.
    """

    command = "cash reconcile"
    example = "cash reconcile --key rex"

    def look(self, venue: Venue) -> dict[str, Any]:
        return venue.cash_reconciled()


class BlockList(AdminRequest, tag="blocks"):
    """Print the open block offers and enquiries, and what they have locked."""

    command = "block list"
    example = "block list --key rex"

    first: Annotated[
        int, msgspec.Meta(ge=0, le=2**62), field("The lowest block id to print.", name="--from")
    ] = msgspec.field(name="from", default=0)

    def look(self, venue: Venue) -> dict[str, Any]:
        return venue.blocks(self.first)


class StatementOf(AdminRequest, tag="statement"):
    """Print an account's day: what it had, every movement, what it has. Changes nothing.

    The answer is what the statement begins with, see `framing.StatementRequest`.
    """

    command = "account statement"
    example = "account statement P001 --date 2025-07-16 --key rex"

    account: Account
    date: (
        Annotated[
            str,
            msgspec.Meta(max_length=10),
            field("The day, as 2025-07-16; left out, the open or last one."),
        ]
        | None
    ) = None

    def look(self, venue: Venue) -> dict[str, Any]:
        return venue.statement(self.account, self.date)


class HistoryOf(AdminRequest, tag="history"):
    """An account's reports, see `framing.HistoryRequest`."""

    account: Account
    first: Seq = msgspec.field(name="from")
    count: Seq

    def look(self, venue: Venue) -> dict[str, Any]:
        return venue.history(self.account, self.first, self.count)


class BiddingList(AdminRequest, tag="biddings"):
    """Print today's biddings and their results; bids are sealed."""

    command = "bidding list"
    example = "bidding list --key rex"

    def look(self, venue: Venue) -> dict[str, Any]:
        return {"biddings": venue.biddings()}


class ApplicationList(AdminRequest, tag="bidding_applications"):
    """Print all applications, and until when to review them."""

    command = "bidding applications"
    example = "bidding applications --key rex"

    def look(self, venue: Venue) -> dict[str, Any]:
        return {"applications": venue.day.applications()}


class SessionList(AdminRequest, tag="sessions"):
    """Print who is logged on."""

    command = "session list"
    example = "session list"

    def look(self, venue: Venue) -> dict[str, Any]:
        return venue.sessions()


class ProposalList(AdminRequest, tag="proposals"):
    """Print what waits for a second operator."""

    command = "proposal list"
    example = "proposal list --key bo"

    def look(self, venue: Venue) -> dict[str, Any]:
        return {"proposals": venue.proposals.listed()}
