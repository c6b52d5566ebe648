"""The settlement bank, as the registry's settings name it."""

from datetime import time
from typing import Annotated

import msgspec

from cea_exchange.ledger.institutions import Institution

TimeOfDay = Annotated[
    str, msgspec.Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["17:30"])
]


class BankSetting(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The settlement bank.

    Attributes
    ----------
    name, customer
        The bank's name, and ours there.
    fees, reserve, proceeds
        Sub-accounts of the fees, of the risk reserve, and of what the authority's sales brought.
    batch_count_max
        Instructions in one message.
    data
        The folder where the bank says where it listens; left out, files are carried by hand.
    statement_at
        When the bank's statement is fetched on each working day, as ``17:30`` in Shanghai; left
        out, only when a person asks for it.
    """

    name: str = "BANK"
    customer: str = "registry"
    fees: str = "SUB-FEES"
    reserve: str = "SUB-RESERVE"
    proceeds: str = "SUB-PROCEEDS"
    batch_count_max: int = 2_000
    data: str | None = None
    statement_at: TimeOfDay | None = None

    def __post_init__(self) -> None:
        if self.statement_at is not None and self.data is None:
            raise ValueError("statement_at: expected `data` beside it, where the bank is")

    def institutions(self) -> dict[Institution, str]:
        """Return the sub-accounts of institutions."""
        return {
            Institution.FEES: self.fees,
            Institution.RISK_RESERVE: self.reserve,
            Institution.PROCEEDS: self.proceeds,
        }

    def statement_time(self) -> time | None:
        """Return when the statement is fetched."""
        return None if self.statement_at is None else time.fromisoformat(self.statement_at)
