"""Workloads: who does what how often, as TOML.

participants = 64
depth = 200                         # orders on the book before the clock starts
refused = 0.02                      # the share that is meant to be refused

[products]                          # reference price, in the system's smallest step
CEA23 = 9749

[mix]                               # weights
passive = 50
aggressive = 30
cancel = 20
"""

from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from cea_exchange.domain.records import CommandKind, OrderFlag, Tif
from cea_exchange.user_files.formats import FormatError, toml_parse
from cea_exchange.user_files.opening import UserFileError, text_read

NAMED = ("trading_day", "quotes", "takers", "cancel_heavy", "year", "blocks", "biddings")
"""The workloads that come with the package; each file says what it is for."""


class WorkloadError(ValueError):
    """No workload; the message says where, what was expected, and what was given."""


class Intention(msgspec.Struct, frozen=True):
    """What a word of the mix becomes.

    Attributes
    ----------
    away : tuple of int
        How far behind the market its price lies, from and to, in ten thousandths of the reference
        price; a negative number reaches across it.
    """

    kind: CommandKind
    away: tuple[int, int] = (0, 0)
    tif: Tif = Tif.DAY
    flags: int = 0


INTENTIONS = {
    "passive": Intention(CommandKind.ENTER, (4, 60)),
    "aggressive": Intention(CommandKind.ENTER, (-45, -8)),
    "ioc": Intention(CommandKind.ENTER, (-45, -8), Tif.IOC),
    "fok": Intention(CommandKind.ENTER, (-60, -60), Tif.FOK),
    "post_only": Intention(CommandKind.ENTER, (70, 160), Tif.DAY, OrderFlag.POST_ONLY),
    "amend": Intention(CommandKind.AMEND, (5, 60)),
    "cancel": Intention(CommandKind.CANCEL, (4, 60)),
    "block_offer": Intention(CommandKind.BLOCK_OFFER, (-40, 80)),
    "bid": Intention(CommandKind.BID, (-60, 60)),
    "bid_cancel": Intention(CommandKind.BID_CANCEL, (-60, 60)),
}
"""Cancels and amendments of a participant without an open order become `passive`; a withdrawal of
one without a bid becomes a `bid`."""

REFUSED = "refused"
"""An order of no tonnes at all, which every system must refuse."""
DEPTH = "depth"
"""Orders of before the clock starts."""
REACTIONS = ("block_accept", "block_reject")
"""What answers another's block; it is due at once."""
LABELS = (*INTENTIONS, REFUSED, DEPTH, *REACTIONS)
"""What results are broken down by: the kinds of command. An index into it is a command's label."""

TONNES_TYPICAL = (10, 20, 30, 50, 50, 80, 100, 100, 150, 200)
BLOCK_TONNES = (100_000, 100_000, 120_000, 150_000, 200_000)


class Workload(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who does what how often.

    Attributes
    ----------
    participants : int
    products : dict
        Reference price, in the system's smallest step, by name.
    mix : dict
        Weights of intentions.
    depth : int
        Orders that rest on the book before the clock starts.
    refused : float
        The share of commands that are meant to be refused.
    tonnes, block_tonnes : tuple of int
        Drawn from, each as often as it stands there.
    orders_live_max : int
        A participant with more takes one back rather than adding another; of bids likewise.
    block_reject : float
        The share of blocks that the other side declines.
    """

    name: str = ""
    participants: int = 64
    products: dict[str, int] = {}
    mix: dict[str, float]
    depth: int = 0
    refused: float = 0.0
    tonnes: tuple[int, ...] = TONNES_TYPICAL
    block_tonnes: tuple[int, ...] = BLOCK_TONNES
    orders_live_max: int = 24
    block_reject: float = 0.1
    arrivals: dict[str, Any] = {}
    stop: dict[str, Any] = {}

    def __post_init__(self) -> None:
        unknown = [name for name in self.mix if name not in INTENTIONS]
        if unknown:
            raise ValueError(f"mix: expected {', '.join(INTENTIONS)}, got {unknown[0]!r}")
        if not any(weight > 0 for weight in self.mix.values()) or min(self.mix.values()) < 0:
            raise ValueError(f"mix: expected weights, one above 0, got {self.mix}")
        if self.participants < 2:
            raise ValueError(f"participants: expected at least 2, got {self.participants}")
        for name, share in (("refused", self.refused), ("block_reject", self.block_reject)):
            if not 0 <= share < 1:
                raise ValueError(f"{name}: expected a share below 1, got {share}")
        for name, sizes in (("tonnes", self.tonnes), ("block_tonnes", self.block_tonnes)):
            if not sizes or min(sizes) < 1:
                raise ValueError(f"{name}: expected whole numbers above 0, got {sizes}")
        if self.depth < 0 or self.orders_live_max < 1:
            raise ValueError(
                f"depth, orders_live_max: expected at least 0 and 1,"
                f" got {self.depth} and {self.orders_live_max}"
            )

    @property
    def has_blocks(self) -> bool:
        """Whether blocks are among it."""
        return self.mix.get("block_offer", 0) > 0

    @property
    def has_bids(self) -> bool:
        """Whether bids in a bidding are among it."""
        return self.mix.get("bid", 0) + self.mix.get("bid_cancel", 0) > 0


def workload_find(name: str) -> Workload:
    """Return a workload by its name, or of a file.

    Raises
    ------
    WorkloadError
        There is none, or it is not one.
    """
    if name in NAMED:
        text = files("cea_exchange.loadtest.flow").joinpath(f"workloads/{name}.toml").read_text()
        return workload_read(text, name)
    path = Path(name)
    if path.suffix != ".toml":
        raise WorkloadError(
            f"workload: expected one of {', '.join(NAMED)}, or a .toml file, got {name!r}"
        )
    try:
        return workload_read(text_read(path, "a workload"), str(path))
    except UserFileError as error:
        raise WorkloadError(str(error)) from error


def workload_read(text: str, place: str) -> Workload:
    """Return a workload of a text; errors name its place."""
    try:
        content = {"name": Path(place).stem, **toml_parse(text)}
        return msgspec.convert(content, Workload)
    except (FormatError, msgspec.ValidationError) as error:
        raise WorkloadError(f"workload {place}: {error}") from error
