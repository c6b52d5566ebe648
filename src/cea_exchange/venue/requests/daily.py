"""Requests about the day and the daemon: clock, phases, opening and closing, sessions."""

from typing import Annotated, Any, Literal

import msgspec

from cea_exchange.control_plane.fields import field
from cea_exchange.domain.enums import Phase
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol import control
from cea_exchange.protocol.operators import Operator
from cea_exchange.venue.requests.base import ActRequest, Venue


class ClockMove(ActRequest, tag="clock"):
    """Move a manual clock, with what falls due on the way."""

    command = "clock move"
    example = "clock move 2025-07-16T09:30:00+08:00"

    at: Annotated[str, field("ISO 8601 time with offset.")]

    def act(self, venue: Venue, by: Operator) -> dict[str, Any]:
        venue.day.clock_move(self.at)
        return {}


class PhaseChange(ActRequest, tag="phase"):
    """Set the phase of the open day."""

    command = "day phase"
    example = 'day phase break --why "early lunch"'

    phase: Annotated[str, field("pre_open, listed, break, listed_and_block, closed.")]

    def command_of(self, venue: Venue) -> control.Act:
        if self.phase.upper() not in Phase.__members__:
            names = ", ".join(member.name.lower() for member in Phase)
            raise FrameError(
                VenueRefusal.CHOICE_UNKNOWN, expected=names, got=self.phase, where="phase"
            )
        return control.PhaseSet(phase=Phase[self.phase.upper()])


class OpenDay(ActRequest, tag="open_day"):
    """Open a trading day, whatever the calendar says; where the clock runs, none after today."""

    command = "day open"
    example = "day open 2025-07-16"

    date: Annotated[str, field("Date, as 2025-07-16.")]

    def command_of(self, venue: Venue) -> control.Act | None:
        return venue.day.open_day(self.date)


class CloseDay(ActRequest, tag="close_day"):
    """Close the trading day."""

    command = "day close"
    example = "day close"

    def command_of(self, venue: Venue) -> control.Act | None:
        return venue.day.close_day()


class Disconnect(ActRequest, tag="disconnect"):
    """End the sessions of a key or an account and cancel their orders; they may log on again."""

    command = "session end"
    example = "session end P001"

    who: Annotated[control.Name, field("A public key, or an account.")]

    def act(self, venue: Venue, by: Operator) -> dict[str, Any]:
        return {"ended": venue.orders.disconnect(self.who)}


class KeyRestore(ActRequest, tag="key_restore"):
    """Admit a key again that was cut off because fronts ended where it was.

    `venue status` names those (`keys_cut_off`); ask the key's holder first.
    """

    command = "key readmit"
    example = 'key readmit "$(cat keys/p001.public)"'

    key: Annotated[control.Name, field("The public key that was cut off.", name="public_key")]

    def act(self, venue: Venue, by: Operator) -> dict[str, Any]:
        if not venue.key_restore(self.key):
            raise FrameError(
                VenueRefusal.KEY_NOT_CUT_OFF,
                expected="a key that is cut off",
                got=self.key,
                where="key",
            )
        return {}


class Stop(ActRequest, tag="stop"):
    """End the daemon."""

    command = "stop"
    example = "stop"

    def act(self, venue: Venue, by: Operator) -> dict[str, Any]:
        venue.stop()
        return {}


class ClusterHandover(ActRequest, tag="cluster_handover", kw_only=True):
    """End this node of a cluster, and let a standby lead; `cluster handover` asks who leads."""

    node: Annotated[str, msgspec.Meta(max_length=32), field("The standby that is to lead.")]

    def act(self, venue: Venue, by: Operator) -> dict[str, Any]:
        venue.hand_over(self.node)
        return {"what": f"node {self.node} is to lead"}


class AnnouncementMake(ActRequest, tag="announcement_make", kw_only=True):
    """Tell everybody something, such as a risk: it is published with the day's disclosure."""

    command = "announcement make"
    example = 'announcement make risk "prices of CEA24 moved by 20% in ten days" --product CEA24'

    about: Annotated[
        Literal["risk", "suspension", "resumption", "rules", "auction", "listing"],
        field("What it is about."),
    ]
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000), field("The text.")]
    product: Annotated[control.Name | None, field("Product; left out, the whole market.")] = None

    def command_of(self, venue: Venue) -> control.Act:
        venue.product_check(self.product)
        return control.AnnouncementMade(about=self.about, text=self.text, product=self.product)
