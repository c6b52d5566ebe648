"""What can be loaded: an adapter of a few methods for each kind of system.

class Toy(Target):
    def connect(self, participants): ...      # be ready for commands
    def prepare(self, command): ...           # may be left out: encode it, it is due soon
    def send(self, commands): ...             # hand them over, wait for nothing
    def poll(self, timeout_s): ...            # return what was reported meanwhile
    def close(self): ...
"""

from cea_exchange.domain.records import CommandKind, OrderFlag, Side, Tif
from cea_exchange.loadtest.targets.target import (
    Command,
    Outcome,
    Participants,
    Reconciliation,
    Report,
    Target,
    TargetError,
)

__all__ = [
    "Command",
    "CommandKind",
    "OrderFlag",
    "Outcome",
    "Participants",
    "Reconciliation",
    "Report",
    "Side",
    "Target",
    "TargetError",
    "Tif",
]
