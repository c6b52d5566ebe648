"""The operators' acts as the journal has them: read from any data folder, running or not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from cea_exchange.domain.naming import is_one_line
from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.domain.timetable import time_from_ns
from cea_exchange.protocol import control
from cea_exchange.venue.control_log import controls_read


class LoggedAct(msgspec.Struct, frozen=True, kw_only=True):
    """One act of an operator.

    Attributes
    ----------
    seq
        Its place in the journal.
    at
        The venue's time, ISO 8601.
    by, second
        Who; `second` is empty where one person was enough.
    what, fields
        The command and what it says.
    why
        The operator's words.
    """

    seq: int
    at: str
    by: str
    second: str
    what: str
    fields: dict[str, Any]
    why: str

    def sentence(self) -> str:
        """Return the act as a line for a person."""
        who = f"{self.by} and {self.second}" if self.second else self.by
        said = " ".join(f"{name}={value}" for name, value in self.fields.items())
        words = f'"{self.why}"' if is_one_line(self.why) else ascii(self.why)
        why = f": {words}" if self.why else ""
        return f"{self.at}  {who}  {self.what} {said}".rstrip() + why


def acts_read(data: Path | str, archive: Path | None = None) -> Iterator[LoggedAct]:
    """Yield all that operators did, oldest first. Changes nothing.

    Parameters
    ----------
    data
        The data folder.
    archive
        The journal's archive, if it is not in the data folder.

    Raises
    ------
    JournalError
        The journal is damaged.
    OSError
        There is none.
    """
    for frame, message in controls_read(data, archive):
        if isinstance(message, control.Act) and message.by:
            fields = msgspec.to_builtins(message)
            if isinstance(message, control.TradeBust):
                (trade,) = np.frombuffer(message.trade, EVENT_DTYPE)
                fields["trade_id"] = int(trade["trade_id"])
                del fields["trade"]
            if isinstance(message, control.PhaseSet):
                fields["phase"] = message.phase.name.lower()
            for name in ("state", "text"):
                fields.pop(name, None)  # all that every account holds; a whole profile
            yield LoggedAct(
                seq=frame.first_seq,
                at=time_from_ns(frame.time_ns).isoformat(),
                by=fields.pop("by"),
                second=fields.pop("second", ""),
                what=fields.pop("t"),
                why=fields.pop("why"),
                fields={n: v for n, v in fields.items() if n != "at_ns" and v is not None},
            )
