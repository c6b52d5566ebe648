"""`cea-exchange bank`: a simulated settlement bank, and a look into a bank's files."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cea_exchange.cli.asking import json_print, table
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.daemon_log import (
    LogLevel,
    LogLevelOption,
    crash_logged,
    log_to_standard_error,
)
from cea_exchange.cli.errors import CheckFailed, CommandError
from cea_exchange.cli.options import ADMIN, Data, Json, Key
from cea_exchange.cli.readable import YuanArgument, date_argument, date_shown, yuan
from cea_exchange.control_plane.signals import StopSignals

STATUS_RESTART = 75
"""The bank has ended by its own draw and wants to be started again."""


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    group = CommandLine()
    for command in (serve, open_account, pay_in, accounts, check):
        group.command(command.__name__.replace("_", "-"))(command)
    app.add_typer(group, name="bank", help="A simulated settlement bank, and bank files.")


def serve(
    data: Data,
    seed: Annotated[int, typer.Option("--seed", help="What goes wrong is drawn from it.")] = 1,
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings (TOML); without, nothing goes wrong.")
    ] = None,
    log_level: LogLevelOption = LogLevel.info,
) -> None:
    """Run a simulated bank until it is told to stop (SIGTERM); 75 if it wants a restart.

    Example: cea-exchange bank serve --seed 7 --config bank.toml
    """
    signals = StopSignals()

    import apsw

    from cea_exchange.protocol.folder_lock import FolderInUse, FolderLock
    from cea_exchange.protocol.security import SecurityError
    from cea_exchange.protocol.settings import ConfigError, settings_read
    from cea_exchange.simulators.bank.daemon import BankConfig, BankDaemon

    log_to_standard_error(log_level)
    with crash_logged():
        try:
            settings = BankConfig() if config is None else settings_read(config, BankConfig)
            with FolderLock(data / "bank"), BankDaemon(settings, data, seed) as daemon:
                signals.lead_to(daemon.stop)
                daemon.run()
        except (ConfigError, FolderInUse, SecurityError) as error:
            raise CommandError(str(error)) from error
        except apsw.Error as error:
            raise CheckFailed(f"the bank's database: {error}") from error
    if daemon.is_restarting:
        raise typer.Exit(STATUS_RESTART)


def open_account(
    account: Annotated[list[str], typer.Argument(help="Sub-accounts.")],
    data: Data,
    key: Key = ADMIN,
) -> None:
    """Open sub-accounts at the simulated bank: each participant's, the fees' and the reserve's.

    Example: cea-exchange bank open-account P001 P002 SUB-FEES SUB-RESERVE
    """
    from cea_exchange.registry.bank.requests import OpenAccount

    for name in account:
        _ask(data, key, OpenAccount(account=name))
    typer.echo(f"open: {', '.join(account)}")


def pay_in(
    account: Annotated[str, typer.Argument(help="Sub-account.")],
    cash: YuanArgument,
    date: Annotated[int, date_argument("The bank's day")],
    data: Data,
    reference: Annotated[
        str | None, typer.Option(help="As whose pay-in it counts; left out, the sub-account's.")
    ] = None,
    payment_id: Annotated[
        str | None, typer.Option(help="The same counts once; left out, a new one.")
    ] = None,
    key: Key = ADMIN,
) -> None:
    """Pay into a sub-account, as a participant does at the bank; its next statement shows it.

    Example: cea-exchange bank pay-in P001 1000.00 2025-07-16
    """
    from secrets import token_hex

    from cea_exchange.registry.bank.requests import PayIn

    payment = PayIn(
        payment_id=payment_id or f"CLI-{token_hex(8)}",
        account=account,
        cash=cash,
        business_date=date,
        reference=account if reference is None else reference,
    )
    _ask(data, key, payment)
    typer.echo(f"{payment.payment_id}: {yuan(cash)} on {account}, {date_shown(date)}")


def accounts(data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Print the simulated bank's sub-accounts: as its statements have them, and as is right.

    Example: cea-exchange bank accounts
    """
    from cea_exchange.registry.bank.requests import AskTruth

    told = _ask(data, key, AskTruth())
    if json:
        json_print(told["accounts"])
        return
    rows = [
        (name, yuan(one["balance"]), yuan(one["true_balance"]))
        for name, one in sorted(told["accounts"].items())
    ]
    typer.echo(table(("account", "booked", "right"), rows))


def _ask(data: Path, key: Path, request: Any) -> dict[str, Any]:
    from cea_exchange.protocol.operators import operator_pair
    from cea_exchange.protocol.security import SecurityError
    from cea_exchange.registry.bank.client import BankClient, BankRefused, BankUnavailable

    try:
        return BankClient(data, operator_pair(data, key)).ask(request)
    except (BankRefused, BankUnavailable, SecurityError) as error:
        raise CommandError(str(error)) from error


def check(
    file: Annotated[Path, typer.Argument(help="A pain.001, pain.002 or camt.053.")],
) -> None:
    """Read a bank's file and say what is in it, or the line and reason why it is refused.

    Example: cea-exchange bank check statement.xml
    """
    from cea_exchange.registry.bank.iso_20022 import camt_053, pain_001, pain_002
    from cea_exchange.registry.bank.iso_20022.xml_reading import BankFileError

    content = file.read_bytes()
    readers = {
        pain_002.NAMESPACE: pain_002.report_read,
        camt_053.NAMESPACE: camt_053.statement_read,
    }
    read = next(
        (read for namespace, read in readers.items() if namespace.encode() in content),
        pain_001.batch_read,
    )
    try:
        typer.echo(_sentence(read(content, str(file))))
    except BankFileError as error:
        raise CommandError(str(error)) from error


def _sentence(message: Any) -> str:
    from cea_exchange.domain.units import cash_format
    from cea_exchange.registry.bank.instructions import Batch
    from cea_exchange.registry.bank.statements import Statement

    if isinstance(message, Batch):
        total = cash_format(message.control_sum)
        return f"batch {message.batch_id}: {message.count} instructions, {total} yuan"
    if isinstance(message, Statement):
        count = sum(len(account.entries) for account in message.accounts)
        return (
            f"statement {message.statement_id} of {date_shown(message.business_date)}, sequence"
            f" {message.sequence}: {len(message.accounts)} sub-accounts, {count} entries"
        )
    if message.refusal:
        return f"report {message.report_id}: batch {message.batch_id} refused, {message.refusal}"
    return (
        f"report {message.report_id}: batch {message.batch_id}, {len(message.statuses)} statuses"
    )
