"""Nodes of two versions side by side: which may follow the log, and which may lead.

    a newer node follows an older leader; an older one follows no newer leader
    another schema leads only from one day to the next, as a journal on one disk changes it
"""

from cea_exchange import __version__
from cea_exchange.cluster.log_message import EpochRecord
from cea_exchange.domain.records import SCHEMA_VERSION
from cea_exchange.venue.market.state_machine import VenueStateMachine


def follow_fault(led: EpochRecord) -> str:
    """Say why this node can't follow whoever leads by a record; empty if it can."""
    is_newer = _version(led.code_version) > _version(__version__)
    if not is_newer and led.schema_version <= SCHEMA_VERSION:
        return ""
    return (
        f"the log is written by cea-exchange {led.code_version}, schema {led.schema_version}; this "
        f"node has {__version__}, schema {SCHEMA_VERSION}: bring it to that version first"
    )


def lead_fault(led: EpochRecord, machine: VenueStateMachine) -> str:
    """Say why this node can't lead next; empty if it can.

    Parameters
    ----------
    led
        By which the last leader led.
    machine
        The market behind all that it wrote.
    """
    core = machine.core
    if led.schema_version == SCHEMA_VERSION or not core.day_is_open:
        return ""
    return (
        f"day {core.trading_date} is open under schema {led.schema_version}, this node writes "
        f"{SCHEMA_VERSION}: it can lead once a node of the version before has closed the day"
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("+")[0].split(".") if part.isdigit())
