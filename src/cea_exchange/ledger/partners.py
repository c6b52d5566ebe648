"""What partners know of an institution: whether they have records that its database lacks.

A partner takes numbered records of an institution: the venue takes the registry's feed, the
registry takes the platform's items. An institution that was started from an older copy of its
folder would give the numbers of lost records once more. So it numbers nothing for a partner before
that partner has said how far it is, and nothing at all once a partner has more than the database.

The file ``lacking`` in the institution's folder keeps what was found, so that the commands that
only read the folder say it too.
"""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from cea_exchange.ledger.database.interface import DatabaseError

FILE_NAME = "lacking"
REGISTRY = "registry"
"""The partner that takes the items of the platform, and of the CCER registry."""
_WORDS_LENGTH_MAX = 1_000


class ActsStopped(Exception):
    """The institution does nothing of value now; nothing was changed."""


class PartnerAwaited(ActsStopped):
    """A partner has not yet said how far it is; nothing was numbered for it."""


class Partners:
    """What the partners of an institution have said since the start of its process.

    Parameters
    ----------
    folder
        The institution's; None keeps nothing on disk.

    Attributes
    ----------
    lacking : dict of str to str
        By partner, which of its records the database lacks.
    stops : list of callable
        Each returns why nothing of value may move now; '' if it may.

    Raises
    ------
    DatabaseError
        The folder's file is not one that this class wrote.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._path = None if folder is None else folder / FILE_NAME
        self._awaited: set[str] = set()
        self.stops: list[Callable[[], str]] = []
        self.lacking = self._read()

    @property
    def are_awaited(self) -> bool:
        """Whether a partner has still to say how far it is."""
        return bool(self._awaited)

    def await_word(self, partner: str) -> None:
        """Number nothing for a partner until it has said how far it is."""
        self._awaited.add(partner)

    def heard(self, partner: str, lacks: str) -> bool:
        """Take a partner's word.

        Parameters
        ----------
        lacks
            Which of its records the database lacks, in words; '' if it lacks none.

        Returns
        -------
        bool
            Whether it is another word than before.
        """
        self._awaited.discard(partner)
        if self.lacking.get(partner, "") == lacks[:_WORDS_LENGTH_MAX]:
            return False
        self.lacking.pop(partner, None)
        if lacks:
            self.lacking[partner] = lacks[:_WORDS_LENGTH_MAX]
        self._write()
        return True

    def stopped(self, *, but: str = "") -> str:
        """Return why nothing of value may move now; '' if it may.

        Parameters
        ----------
        but
            A partner whose word does not count.
        """
        for partner, lacks in self.lacking.items():
            if partner != but:
                return f"stopped: {lacks}"
        return next((why for stop in self.stops if (why := stop())), "")

    def value_check(self) -> None:
        """Raise `ActsStopped` if nothing of value may move now.

        Notes
        -----
        Rules: CEA-REG-09.
        """
        if why := self.stopped():
            raise ActsStopped(why)

    def number_check(self, partner: str) -> None:
        """Raise `ActsStopped` if nothing may be numbered for a partner now.

        Notes
        -----
        Rules: CEA-REG-09.
        """
        for lacks in self.lacking.values():
            raise ActsStopped(f"stopped: {lacks}")
        if partner in self._awaited:
            raise PartnerAwaited(
                f"the {partner} has not said since the start how far it is: nothing is numbered"
                " for it before"
            )

    def stream_compare(
        self,
        partner: str,
        last_seq: int,
        place: tuple[int, str],
        own_head: str | None,
        chain_wrong: str,
    ) -> str:
        """Compare a chained stream with how far a partner has taken it.

        Parameters
        ----------
        last_seq
            The last item there is here.
        place
            Number and head of the last item that the partner has taken; an empty head is not
            compared.
        own_head
            Of the item of that number; None if there is none.
        chain_wrong
            What is wrong with the chain of the whole database by what the partner keeps of it; ''
            if nothing is.

        Returns
        -------
        str
            What the database lacks, as it is kept; '' if nothing.
        """
        taken_seq, head = place
        lacks = chain_wrong
        if taken_seq > last_seq:
            lacks = (
                f"the {partner} has items up to {taken_seq}, this database only up to {last_seq}:"
                " it is older than what the partner has taken"
            )
        elif taken_seq and head not in ("", own_head):
            lacks = (
                f"item {taken_seq} is another one than the {partner} has taken: this database is"
                " not the one that was followed"
            )
        self.heard(partner, lacks)
        return lacks

    def _read(self) -> dict[str, str]:
        if self._path is None:
            return {}
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise DatabaseError(f"{self._path} can not be read: {error.strerror}") from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise DatabaseError(f"{self._path}: expected JSON of texts: {error}") from error

    def _write(self) -> None:
        """Keep what is lacking; what can't be written is found again by the partner's next word."""
        if self._path is None:
            return
        draft = self._path.with_name(f"{FILE_NAME}.new")
        try:
            if not self.lacking:
                self._path.unlink(missing_ok=True)
                return
            draft.write_bytes(msgspec.json.encode(self.lacking))
            os.replace(draft, self._path)
        except OSError as error:
            import structlog

            structlog.get_logger(__name__).warning("lacking_not_kept", error=str(error))
