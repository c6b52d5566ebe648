"""Checks that the accounts a file names exist, and are of the province it says."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from cea_exchange.files.findings import Finding


class Entry(Protocol):
    """An entry about an account."""

    @property
    def account(self) -> str:
        """Its name."""


def accounts_check(
    entries: Sequence[tuple[int, Entry]], provinces: Mapping[str, int] | None
) -> Iterator[Finding]:
    """Yield the entries of unknown accounts, and of accounts of another province.

    Parameters
    ----------
    entries
        With their lines; an entry without a `province` may be any's.
    provinces
        Account -> province code; None: nothing is looked up.
    """
    if provinces is None:
        return
    for line, entry in entries:
        expected = provinces.get(entry.account)
        if expected is None:
            yield Finding(line, "account", f"expected an open account, got {entry.account}")
        elif (said := getattr(entry, "province", expected)) != expected:
            text = f"expected {expected}, the province of {entry.account}, got {said}"
            yield Finding(line, "province", text)
