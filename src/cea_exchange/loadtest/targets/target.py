"""The interface between the load harness and a system: commands out, reports back.

They are nobody's protocol. An adapter turns a `Command` into what its system understands, and what
it hears into `Report`s; it waits for no answer and measures nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from cea_exchange.domain.records import Side


class TargetError(RuntimeError):
    """The system could not be reached, or said something that its protocol does not allow."""


class Outcome(IntEnum):
    """What a report says."""

    ACCEPTED = 1
    """The command is done; of an order, `tonnes_open` is what is open of it."""
    REJECTED = 2
    """The command was refused and changed nothing; `code` says why, in the system's words."""
    TRADED = 3
    """The order that the command entered traded; `tonnes_open` is what is open now."""
    ENDED = 4
    """The order that the command entered is off the book, by no command of its own."""
    ASKED = 5
    """Somebody asks this participant to answer a block, `block`."""


class Command(NamedTuple):
    """One command of one participant.

    Attributes
    ----------
    number : int
        Of this command, ascending from 1; reports name commands by it.
    kind : CommandKind
        ENTER, CANCEL and AMEND; blocks and bids where the system has them.
    participant, product : int
        Indexes into what `connect` was given.
    side : Side
    tif : Tif
    flags : OrderFlag
    price : int
        In the system's smallest step.
    tonnes : int
        The quantity.
    order : int
        Of a cancel or an amendment: the number of the command that entered the order, or the bid.
    block : int
        Of an answer to a block: what the report of ASKED had there.
    counterparty : int
        Of a block: the participant it is for.
    """

    number: int
    kind: int
    participant: int
    product: int
    side: int = 0
    tif: int = 0
    flags: int = 0
    price: int = 0
    tonnes: int = 0
    order: int = 0
    block: int = 0
    counterparty: int = -1


class Report(NamedTuple):
    """What the system said about one command or order.

    Attributes
    ----------
    outcome : Outcome
    number : int
        Of the command: ACCEPTED and REJECTED answer it, TRADED and ENDED are about its order.
    tonnes_open : int
    code : str
        Why a command was refused.
    trade : int or str
        What the system calls the trade; both sides of one have the same. 0 if it says nothing.
    participant, product, block, tonnes : int
        Of ASKED: who is asked, about what.
    """

    outcome: int
    number: int = 0
    tonnes_open: int = 0
    code: str = ""
    trade: int | str = 0
    participant: int = -1
    product: int = 0
    block: int = 0
    tonnes: int = 0


@dataclass(frozen=True)
class Participants:
    """Who a sending process speaks for.

    Attributes
    ----------
    names : list of str
        By participant index.
    products : list of str
        By product index.
    prices : list of int
        The reference price by product index, in the system's smallest step.
    sides : list of list of Side
        By participant and product: each participant stands on one side of a product.
    hosted : list of int
        The participants whose commands this process sends; the others are another one's.
    """

    names: list[str]
    products: list[str]
    prices: list[int]
    sides: list[list[Side]]
    hosted: list[int]


@dataclass
class Reconciliation:
    """What the system itself has to say after a run.

    Attributes
    ----------
    checked : dict
        How many of what were held against each other.
    differences : list of str
        What is not equal, in words; empty if nothing is lost.
    """

    checked: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)


class Target(ABC):
    """A system to load, seen from one sending process.

    An adapter is made with its options as keywords (``--set name=value``, all text), in the process
    that sends, and used from one thread.

    Attributes
    ----------
    reconnects : int
        How often a connection was lost and made again.
    gaps : int
        How often a report was found missing and asked for.
    """

    reconnects: int = 0
    gaps: int = 0

    @abstractmethod
    def connect(self, participants: Participants) -> None:
        """Be ready for commands of the hosted participants.

        Raises
        ------
        TargetError
            It is not to be had.
        """

    def prepare(self, command: Command) -> None:
        """Do what need not wait until a command is due, such as to encode it; let nothing leave.

        Called where there is time. `send` is given it when it is due, perhaps after others.
        """
        return

    @abstractmethod
    def send(self, commands: Sequence[Command]) -> int | None:
        """Hand over commands that are due now, in this order, and wait for nothing.

        Returns
        -------
        int or None
            When the last write to the system began, in nanoseconds of `time.monotonic_ns`; what a
            system's call takes is not the harness's. None is when this method returned.
        """

    @abstractmethod
    def poll(self, timeout_s: float) -> Sequence[Report]:
        """Return what was reported; wait for something, but no longer than that."""

    @abstractmethod
    def close(self) -> None:
        """End the connections."""

    def reconcile(self) -> Reconciliation:
        """Hold what was reported against what the system has, once all has been answered.

        Where the system can be asked for nothing, as here, the answers themselves are all there is.
        """
        return Reconciliation()
