"""Fields that many requests have: their words and units, each said once."""

from typing import Annotated

import msgspec

from cea_exchange.control_plane.fields import field

Account = Annotated[str, field("Account.")]
AccountOnly = Annotated[str | None, field("Only of this account.")]
Project = Annotated[str, field("The project's code.")]
BatchNumber = Annotated[
    int, msgspec.Meta(ge=1, le=2**31 - 1), field("The batch's number within its project.")
]
Instrument = Annotated[str, field("PROJECT-YEAR of the CCERs, such as WIND-1-2024.")]
TonnesOnly = Annotated[int | None, field("So many, the lowest serials of the oldest batch.")]
Serials = Annotated[
    str | None,
    field("Which, BATCH:FIRST-LAST, several with commas, such as 1:11-20,1:41-60."),
]
TonnesByYear = Annotated[
    dict[str, int], field("YEAR=TONNES, such as 2024=5000; several.", typed="by_product")
]
Document = Annotated[
    str, field("SHA-256 of what it rests on, or an order's number.", is_option=True)
]
OwnerDays = Annotated[
    int,
    msgspec.Meta(ge=0, le=10_000),
    field("Days that the owner took to answer; not the VVB's.", is_option=True),
]
Day = Annotated[int, field("Day", typed="date", is_option=True)]
Order = Annotated[str, field("The court order's number.", is_option=True)]
Court = Annotated[str, field("Whose order it is.", is_option=True)]
Why = Annotated[str, field("The reason; it is kept.")]
