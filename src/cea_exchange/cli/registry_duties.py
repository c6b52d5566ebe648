"""`cea-exchange registry duties`: what must be done by a day and is not."""

import typer

from cea_exchange.cli.asking import Answer, look_all, table
from cea_exchange.cli.options import ADMIN, Data, Json, Key
from cea_exchange.cli.registry_surrender import ProvinceOrNone


def register(group: typer.Typer) -> None:
    """Add the command to the group `registry`."""
    group.command("duties")(duties)


def duties(
    data: Data, province: ProvinceOrNone = None, key: Key = ADMIN, json: Json = False
) -> None:
    """Print what is still to be done by a day, and what of it is overdue.

    Example: cea-exchange registry duties
    """
    look_all(data, key, {"op": "duty_list", "province": province}, json, "duties", text=_list)


def _list(answer: Answer) -> str:
    heads = ("due by", "", "what", "of", "who", "rule")
    rows = [
        (row["due_by"] or "not known", "OVERDUE" if row["is_overdue"] else "", row["duty"])
        + (row["subject"], row["whose"], row["rule"])
        for row in answer["duties"]
    ]
    return table(heads, rows) if rows else "none"
