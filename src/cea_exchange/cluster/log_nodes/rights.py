"""Who may do what at the log: a name and a secret for each right.

All is allowed by name; what is not named is refused. Nobody may delete, purge or change the
journal, the venues included: the log keeps what it has acknowledged whoever is at its other end.
"""

import re
import secrets
from collections.abc import Iterable
from pathlib import Path

VENUE, WATCHER, KEEPER, SYSTEM, ROUTE = "venue", "watcher", "keeper", "system", "route"
"""A venue's nodes; who only looks; the log's operator; the servers' own account; one another."""
HOLDERS = (VENUE, WATCHER, KEEPER, SYSTEM, ROUTE)
SECRET_BYTES = 32
_SECRET = re.compile(r"[A-Za-z0-9_-]{32,128}")


class SecretError(ValueError):
    """A secret can't be read, or is none; the message names its file."""


def publish_rights(holder: str, name: str) -> list[str]:
    """Return the subjects that a right's holder may publish on.

    Parameters
    ----------
    holder
        `VENUE`, `WATCHER` or `KEEPER`.
    name
        Of the cluster: the journal's stream and the buckets are named after it.
    """
    journal, lease, nodes = f"{name}-journal", f"{name}-lease", f"{name}-nodes"
    streams = (journal, f"KV_{lease}", f"KV_{nodes}")
    if holder == KEEPER:
        # He moves leaders and removes nodes; a stream of this name he may not take away.
        return [
            "$JS.API.INFO",
            "$JS.API.STREAM.NAMES",
            "$JS.API.STREAM.LIST",
            *(f"$JS.API.STREAM.{act}.{stream}" for stream in streams for act in _KEEPING),
            "$JS.API.META.LEADER.STEPDOWN",
        ]
    reading = [
        "$JS.API.INFO",
        "$JS.API.STREAM.NAMES",
        "$JS.ACK.>",
        "$JS.FC.>",
        f"{name}.leader",
        *(f"$JS.API.{each}" for stream in streams for each in _reading(stream)),
    ]
    if holder == WATCHER:
        return reading
    return [
        *reading,
        f"{name}.journal",
        alive(name),
        f"$KV.{lease}.>",
        f"$KV.{nodes}.>",
        *(f"$JS.API.STREAM.CREATE.{stream}" for stream in streams),
    ]


def subscribe_rights(holder: str, name: str) -> list[str]:
    """Return the subjects that a right's holder may listen to: what is answered to it alone."""
    return [f"{inbox(holder)}.>", *([alive(name), f"{name}.leader"] if holder == VENUE else [])]


def alive(name: str) -> str:
    """Return the subjects that venues answer on as long as they are there, and one as it leads."""
    return f"{name}.alive.>"


_KEEPING = ("INFO", "LEADER.STEPDOWN", "PEER.REMOVE")


def _reading(stream: str) -> Iterable[str]:
    yield from (f"STREAM.INFO.{stream}", f"STREAM.MSG.GET.{stream}")
    yield from (f"DIRECT.GET.{stream}", f"DIRECT.GET.{stream}.>")
    yield from (f"CONSUMER.CREATE.{stream}", f"CONSUMER.CREATE.{stream}.>")
    yield from (f"CONSUMER.INFO.{stream}.*", f"CONSUMER.DELETE.{stream}.*")
    yield from (f"CONSUMER.MSG.NEXT.{stream}.*",)


def inbox(holder: str) -> str:
    """Return the prefix of the subjects that a holder, and nobody else, is answered on."""
    return f"_INBOX_{holder}"


def secrets_new(folder: Path) -> None:
    """Draw a secret for each holder, a file each in a folder; those that are there stay."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for holder in HOLDERS:
        file = folder / holder
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(SECRET_BYTES) + "\n", encoding="ascii")


def secrets_read(folder: Path) -> dict[str, str]:
    """Return each holder's secret.

    Raises
    ------
    SecretError
        One is missing, open to everybody, too short, or the same as another.
    """
    found: dict[str, str] = {}
    for holder in HOLDERS:
        file = folder / holder
        try:
            secret = file.read_text(encoding="ascii").strip()
            mode = file.stat().st_mode & 0o777
        except (OSError, UnicodeDecodeError) as error:
            raise SecretError(f"{file}: expected a secret, {error}") from error
        if mode & 0o077:
            raise SecretError(f"{file}: expected mode 0600, got {mode:04o}")
        if _SECRET.fullmatch(secret) is None:
            raise SecretError(
                f"{file}: expected 32 to 128 letters, digits, - and _, got {len(secret)} characters"
            )
        if secret in found.values():
            raise SecretError(f"{file}: expected a secret of its own, got another holder's")
        found[holder] = secret
    return found
