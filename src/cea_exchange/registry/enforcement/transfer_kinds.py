"""Why tonnes pass from one entity's account to another's without a trade."""

from typing import Literal

TransferKind = Literal["inheritance", "succession", "enforcement"]
TRANSFER_KINDS = ("inheritance", "succession", "enforcement")
