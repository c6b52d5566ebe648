"""Requests for measures against accounts, from a warning to a suspension."""

from typing import Annotated, Any, get_args

from cea_exchange.control_plane.fields import field
from cea_exchange.control_plane.maker_checker import Prepared, Second
from cea_exchange.protocol import control
from cea_exchange.protocol.operators import Operator
from cea_exchange.venue.requests.base import (
    STEP_RESTRICTS,
    STEP_SUSPENDS,
    Account,
    ActRequest,
    AdminRequest,
    Case,
    Ends,
    LowStep,
    Seq,
    Starts,
    Venue,
    WhyOf,
)


class MeasureList(AdminRequest, tag="measures"):
    """Print the measures that were taken against accounts, and which are in force."""

    command = "measure list"
    example = "measure list --key rex"

    public: Annotated[bool, field("What the public may see.", name="--public")] = False

    def look(self, venue: Venue) -> dict[str, Any]:
        return {"measures": venue.measures(public=self.public)}


class MeasureTake(ActRequest, tag="measure_take", kw_only=True):
    """Take a measure of the steps 0 to 5: watched, called, report due, pledge, warned, named."""

    command = "measure take"
    example = 'measure take P001 2 --case 2025-17 --why "order 4711 and its like"'

    account: Account
    step: LowStep
    case: Case
    ends: Ends = None
    starts: Starts = None
    why: WhyOf

    def command_of(self, venue: Venue) -> control.Act:
        return venue.measure_of(self, self.step, ())


class MeasureRestrict(ActRequest, tag="measure_restrict", kw_only=True):
    """Propose to keep an account from purchases, sales, taking tonnes or cash out, each alone."""

    second = Second.OPERATOR
    command = "measure restrict"
    example = (
        'measure restrict P001 --purchases --cash-out --case 2025-17 --until 2025-08-29 --why "x" '
        "--key an"
    )

    account: Account
    purchases: Annotated[bool, field("From new purchases.", name="--purchases")] = False
    sales: Annotated[bool, field("From new sales.", name="--sales")] = False
    tonnes_out: Annotated[bool, field("From taking tonnes out.", name="--tonnes-out")] = False
    cash_out: Annotated[bool, field("From taking cash out.", name="--cash-out")] = False
    case: Case
    ends: Ends = None
    starts: Starts = None
    why: WhyOf

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        names = get_args(control.Barred)
        barred = tuple(name for name in names if getattr(self, name))
        what = f"keep {self.account} from {', '.join(barred) or 'nothing'}, case {self.case}"
        return venue.measure_prepared(venue.measure_of(self, STEP_RESTRICTS, barred), what, by)


class MeasureSuspend(ActRequest, tag="measure_suspend", kw_only=True):
    """Propose to suspend an account by a measure, which is reported to the ministry."""

    second = Second.OPERATOR
    command = "measure suspend"
    example = 'measure suspend P001 --case 2025-17 --why "under investigation" --key an'

    account: Account
    case: Case
    ends: Ends = None
    starts: Starts = None
    why: WhyOf

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        what = f"suspend {self.account}, case {self.case}"
        return venue.measure_prepared(venue.measure_of(self, STEP_SUSPENDS, ()), what, by)


class MeasureLift(ActRequest, tag="measure_lift", kw_only=True):
    """Propose to end a measure before its day."""

    second = Second.OPERATOR
    command = "measure lift"
    example = 'measure lift 3 --why "explained" --key an'

    measure: Annotated[Seq, field("The measure's number.")]
    why: WhyOf

    def prepared(self, venue: Venue, by: Operator) -> Prepared:
        act = control.MeasureLifted(measure=self.measure, why=self.why)
        return venue.measure_prepared(act, f"lift measure {self.measure}", by)
