"""`cea-exchange bank`: a simulated settlement bank, and a look into a bank's files."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from cea_exchange.cli.acts.bank import BANK
from cea_exchange.cli.acts.commands import commands_add
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.daemons.daemon_log import (
    LogLevel,
    LogLevelOption,
    crash_logged,
    log_to_standard_error,
)
from cea_exchange.cli.daemons.loading import modules_loading
from cea_exchange.cli.errors import bad_input, check_failed, nothing_starts
from cea_exchange.cli.options import Data
from cea_exchange.cli.readable import date_shown
from cea_exchange.control_plane.signals import StopSignals
from cea_exchange.user_files.opening import bytes_read

GROUPS = {"account": "Sub-accounts.", "file": "A bank's files."}
FILE_BYTES_MAX = 16 << 20
"""Of a file that is looked at; the registry takes larger ones, and needs the memory for them."""
STATUS_RESTART = 75
"""The bank has ended by its own draw and wants to be started again."""


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    from cea_exchange.registry.bank.requests import BANK_REQUESTS

    group = CommandLine()
    group.command("serve")(serve)
    groups = commands_add(group, BANK, BANK_REQUESTS.types, GROUPS)
    groups["file"].command("check")(check)
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

    with modules_loading():
        import apsw

        from cea_exchange.protocol.folder_lock import FolderInUse, FolderLock
        from cea_exchange.protocol.security import SecurityError
        from cea_exchange.protocol.settings import ConfigError, settings_read
        from cea_exchange.simulators.bank.daemon import BankConfig, BankDaemon

    log_to_standard_error(log_level)
    with (
        crash_logged(),
        check_failed(apsw.Error, says="the bank's database: "),
        bad_input(ConfigError, FolderInUse, SecurityError),
    ):
        settings = BankConfig() if config is None else settings_read(config, BankConfig)
        with ExitStack() as opened:
            with nothing_starts(data):
                opened.enter_context(FolderLock(data / "bank"))
                daemon = opened.enter_context(BankDaemon(settings, data, seed))
            signals.lead_to(daemon.stop)
            daemon.run()
    if daemon.is_restarting:
        raise typer.Exit(STATUS_RESTART)


def check(
    file: Annotated[Path, typer.Argument(help="A pain.001, pain.002 or camt.053.")],
) -> None:
    """Read a bank's file and say what is in it, or the line and reason why it is refused.

    Example: cea-exchange bank file check statement.xml
    """
    from cea_exchange.protocol.bank.iso_20022 import camt_053, pain_001, pain_002
    from cea_exchange.protocol.bank.iso_20022.xml_reading import BankFileError

    content = bytes_read(file, "a bank's file", FILE_BYTES_MAX)
    readers: dict[str, Callable[[bytes, str], Any]] = {
        pain_002.NAMESPACE: pain_002.report_read,
        camt_053.NAMESPACE: camt_053.statement_read,
    }
    read = next(
        (read for namespace, read in readers.items() if namespace.encode() in content),
        pain_001.batch_read,
    )
    with bad_input(BankFileError):
        typer.echo(_sentence(read(content, str(file))))


def _sentence(message: Any) -> str:
    from cea_exchange.domain.units import cash_format
    from cea_exchange.protocol.bank.instructions import Batch
    from cea_exchange.protocol.bank.statements import Statement

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
    return f"report {message.report_id}: batch {message.batch_id}, {len(message.statuses)} statuses"
