"""The settlement bank of a year as a daemon: a simulated one that makes no mistakes."""

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from cea_exchange.domain.calendar import date_number
from cea_exchange.institution.control.request import Request
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.bank.client import BankClient
from cea_exchange.registry.control.requests.settlement.bank import BankFetch
from cea_exchange.registry.store import RegistryStore
from cea_exchange.year.institutions.bank import payment
from cea_exchange.year.institutions.systems import OPERATOR, Actor, System


class Registry(Protocol):
    """What the bank asks of its systems."""

    def ask(self, system: System, actor: Actor, request: Request) -> dict[str, Any]: ...
    def wait(self, condition: Callable[[], bool], what: str) -> None: ...


class DaemonBank:
    """The bank's daemon, and the registry that fetches its statements; see `Bank`."""

    def __init__(self, registry: Registry, data: Path, keys: CurveKeys) -> None:
        self._registry, self._data = registry, data
        self._client = BankClient(data, keys)

    def paid_in(self, day: date, cash: Mapping[int, int]) -> None:
        """Take cash in (index of an account -> fen), and let the registry fetch the statement."""
        with RegistryStore.open_reader(self._data) as registry:
            rows = registry.all("SELECT account_index, account, bank_account FROM accounts")
        names = {index: sub_account or account for index, account, sub_account in rows}
        for index, fen in cash.items():
            self._client.ask(payment(index, names[index], fen, day))
        self._statement(day)

    def day_closed(self, day: date) -> None:
        """Wait until the day's instructions were carried out; let the statement be fetched."""
        self._registry.wait(self._is_instructed, "the bank has done what it was instructed to")
        self._statement(day)

    def _is_instructed(self) -> bool:
        with RegistryStore.open_reader(self._data) as registry:
            waits = registry.one(
                "SELECT count(*) FROM bank_instructions WHERE state IN ('made', 'sent', 'pending')"
            )
            trades = registry.one("SELECT count(*) FROM trades")
            instructed = registry.one(
                "SELECT count(DISTINCT subject) FROM bank_instructions WHERE kind = 'trade'"
            )
        return not waits and bool(trades == instructed)

    def _statement(self, day: date) -> None:
        before = self._read()
        self._registry.ask("registry", OPERATOR, BankFetch(business_date=date_number(day)))
        self._registry.wait(lambda: self._read() > before, "the registry has read the statement")

    def _read(self) -> int:
        with RegistryStore.open_reader(self._data) as registry:
            count: int = registry.one("SELECT count(*) FROM bank_statements")
        return count
