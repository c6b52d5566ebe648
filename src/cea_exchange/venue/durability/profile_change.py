"""Lets a journal go on under other rules than it began with: between two days only.

    recovered by the old rules -> day closed? -> profile on the shelf -> segment of the new hash
        -> ProfileChanged, its first frame -> snapshot

A segment that has a header only means nothing, and the next start takes its place; so whatever step
a crash comes at, the journal is under the old rules or under the new ones.
"""

from pathlib import Path

from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import SCHEMA_VERSION
from cea_exchange.journal import JournalError
from cea_exchange.journal.segment import Tail
from cea_exchange.protocol import control
from cea_exchange.venue.durability.profile_shelf import profile_path
from cea_exchange.venue.market.state_machine import VenueStateMachine

BY = "venue serve"
WHY = "the profile that the venue was started with"


def profile_change(
    directory: Path, machine: VenueStateMachine, tail: Tail, profile: Profile
) -> control.ProfileChanged | None:
    """Return what has to be journaled so that a venue goes on by these rules; None if nothing.

    Parameters
    ----------
    directory
        The data folder; to say where the old rules are kept.
    machine, tail
        What was recovered, and how the journal ends.
    profile
        The rules wanted.

    Raises
    ------
    JournalError
        A day is open: other rules, or another schema of the records, can't begin in the middle of
        it. Or the rules don't fit the state.

    Notes
    -----
    Rules: CEA-OPR-03.
    """
    old, new = machine.profile.profile_hash(), profile.profile_hash()
    schema = SCHEMA_VERSION if tail.header is None else tail.header.identity.schema_version
    place = "journal" if tail.path is None else tail.path.name
    core = machine.core
    if old == new and schema == SCHEMA_VERSION:
        return None
    if core.day_is_open:
        kept = profile_path(directory, old)
        reason = f"day {core.trading_date} is open under profile {machine.profile.name} {old}, "
        reason += f"and profile {profile.name} {new} was given: start with {kept}, close the day, "
        if old == new:
            reason = f"day {core.trading_date} is open under schema {schema}, this program writes "
            reason += f"{SCHEMA_VERSION}: start with the program before, close the day, "
        raise JournalError(place, tail.next_seq, f"{reason}then start with this one")
    if old == new:
        return None
    change = control.ProfileChanged(
        by=BY, why=WHY, profile_hash=new, previous_hash=old, text=profile.text
    )
    refusal = machine.refusal(change)
    if refusal is not None:
        raise JournalError(place, tail.next_seq, str(refusal))
    return change
