"""Options that many commands have, each defined once.

Where the data is, and whose key it is, may be said once for a whole shell: CEA_EXCHANGE_DATA and
CEA_EXCHANGE_KEY.
"""

from pathlib import Path
from typing import Annotated

import typer

DATA_VARIABLE = "CEA_EXCHANGE_DATA"
KEY_VARIABLE = "CEA_EXCHANGE_KEY"
COMPLETION_VARIABLE = "_CEA_EXCHANGE_COMPLETE"
"""Set by a shell that asks what may come next; the name is what click makes of the command's."""

Data = Annotated[Path, typer.Option("--data", envvar=DATA_VARIABLE, help="Data folder, DIR.")]
DataArgument = Annotated[Path, typer.Argument(envvar=DATA_VARIABLE, help="Data folder.")]
Key = Annotated[
    Path,
    typer.Option(
        "--key",
        envvar=KEY_VARIABLE,
        help="Whose key: a name in DIR/keys, or a path without suffix.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON: fen, and dates such as 20250716.")]
PlainJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Watch = Annotated[
    float | None, typer.Option("--watch", min=0.1, help="Again every so many seconds.")
]
Archive = Annotated[
    Path | None, typer.Option(help="The journal's archive, if it is not in the data folder.")
]
ProfileFile = Annotated[
    str | None, typer.Option(help="The profile file, if it is none of the package's.")
]
MarketProfile = Annotated[
    str, typer.Option("--profile", help="The market's rules: a name, or a file.")
]
Why = Annotated[str, typer.Option("--why", help="The reason; it is kept.")]

ADMIN = Path("admin")
