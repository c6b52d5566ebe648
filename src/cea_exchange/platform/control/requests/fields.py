"""Fields that many requests have: their words and units, each said once."""

from typing import Annotated, Literal

import msgspec

from cea_exchange.control_plane.fields import field
from cea_exchange.files.formats import TABLE_FILE

Enterprise = Annotated[str, field("The enterprise's short name.")]
EnterpriseOnly = Annotated[str | None, field("Only of this enterprise.")]
UnitName = Annotated[str, field("The unit's name.")]
Firm = Annotated[str, field("The firm's short name.")]
CreditCode = Annotated[str, field("Unified social credit code, 18 characters.")]
Title = Annotated[str, field("Legal name.", is_option=True)]
Province = Annotated[int, field("Two-digit code of the province.")]
ListYear = Annotated[int, field("Of the list.", name="year")]
Year = Annotated[int, field("Compliance year: of the emissions.", name="year")]
Month = Annotated[int, field("The month", typed="month")]
DocumentNumber = Annotated[str, field("Number of the document that says so.", is_option=True)]
DecidedOn = Annotated[int, field("Day of the decision", typed="date", is_option=True)]
ValidFrom = Annotated[int, field("From which day on", typed="date", is_option=True)]
Reason = Annotated[str, field("Why there is another version; none of the first.")]
Why = Annotated[str, field("The reason; it is kept.")]
Content = Annotated[bytes, field(is_hidden=True)]
"""Of the file that comes with a request."""
FileName = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern="^[^\\x00-\\x1f]+$")]
TableFile = Annotated[FileName, field(TABLE_FILE, typed="file")]
AnyFile = Annotated[FileName, field("The document.", typed="file")]
Encoding = Annotated[Literal["utf-8", "gb18030", "gbk", "gb2312"], field("Of a CSV file.")]
Seen = Annotated[
    str | None, field("What was seen (sha256): another one is refused.", name="--hash")
]
Kind = Annotated[Literal["plan", "month", "report"], field("Of which documents.")]
Stage = Annotated[Literal["pre", "final", "adjustment"], field("pre, final or adjustment.")]
Number = Annotated[int, msgspec.Meta(ge=1, le=2**62)]
Case = Annotated[Number, field("The case's number.")]
Verification = Annotated[Number, field("The verification's number.")]
Allocation = Annotated[Number, field("The allocation's number.")]
