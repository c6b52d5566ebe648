"""Asks the simulated bank for a command, and puts its answers in words for a person."""

from pathlib import Path
from typing import Any

from cea_exchange.cli.acts.commands import Asker
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.output import Answer, act_line, refused, table
from cea_exchange.cli.readable import yuan


def ask(data: Path, key: Path, request: dict[str, Any], json: bool = False) -> Answer:
    """Return the bank's answer.

    Raises CommandError: there is none, or it is a refusal.

    Parameters
    ----------
    json
        Whether a refusal is printed as JSON too.
    """
    from cea_exchange.protocol.operators import operator_pair
    from cea_exchange.protocol.security import SecurityError
    from cea_exchange.registry.bank.client import BankClient, BankRefused, BankUnavailable

    try:
        answer = BankClient(data, operator_pair(data, key)).ask(request)
    except BankRefused as error:
        raise refused(error, json) from error
    except (BankUnavailable, SecurityError) as error:
        raise CommandError(str(error)) from error
    del answer["ok"]
    return answer


def accounts_shown(answer: Answer) -> str:
    """Return what each sub-account has, as booked and as is right."""
    rows = [
        (name, yuan(one["balance"]), yuan(one["true_balance"]))
        for name, one in sorted(answer["accounts"].items())
    ]
    return table(("account", "booked", "right"), rows)


BANK = Asker(
    "bank",
    lambda *asked: ask(*asked),  # noqa: PLW0108 - looked up when asked
    act_line,
    {"truth": accounts_shown},
)
