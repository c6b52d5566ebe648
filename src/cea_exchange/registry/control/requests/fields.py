"""Fields that many requests have: their words and units, each said once."""

from typing import Annotated, Literal

import msgspec

from cea_exchange.control_plane.fields import field
from cea_exchange.files.formats import TABLE_FILE

Account = Annotated[str, field("Account.")]
AccountOnly = Annotated[str | None, field("Only of this account.")]
Into = Annotated[str, field("Who gets all it has.")]
Product = Annotated[str, field("Product.")]
Tonnes = Annotated[int, field("Tonnes.")]
TonnesByProduct = Annotated[
    dict[str, int],
    field("PRODUCT=TONNES, such as CEA24=5000; several.", typed="by_product"),
]
Cash = Annotated[int, field("Yuan, such as 1000.00.", typed="yuan")]
Year = Annotated[int, field("Compliance year: of the emissions.", name="year")]
Province = Annotated[int, field("Two-digit code of the province that acts.", is_option=True)]
ProvinceOnly = Annotated[int | None, field("Two-digit code of a province, such as 11.")]
Why = Annotated[str, field("The reason; it is kept.")]
EntryId = Annotated[int, msgspec.Meta(ge=1, le=2**62)]
PublicKey = Annotated[
    str, field("Public key, or the file NAME.public.", typed="key", name="public_key")
]
Day = Annotated[int, field("A confirmed day", typed="date", name="day")]
Order = Annotated[str, field("The court order's number.", is_option=True)]
Court = Annotated[str, field("Whose order it is.", is_option=True)]
Until = Annotated[int, field("The last day", typed="date", is_option=True)]
Unit = Annotated[Literal["tonnes", "fen"] | None, field(is_hidden=True)]
"""In which the asker means an amount: one of the other unit is refused."""
Content = Annotated[bytes, field(is_hidden=True)]
"""Of the file that comes with a request."""
Encoding = Annotated[Literal["utf-8", "gb18030", "gbk", "gb2312"], field("Of a CSV file.")]
FileName = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern="^[^\\x00-\\x1f]+$")]
"""Of a file that comes with a request, or is in the registry's own folder."""
File = Annotated[FileName, field(TABLE_FILE, typed="file")]
