"""What every service of the CCER registry is given: its database, its time, and the accounts.

There is one way to post, `Books.move`: the ledger's entry and the lots' move are one act, so that
tonnes and serial numbers never differ.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import NamedTuple

import msgspec

from cea_exchange.ccer.lots.places import Place, Places
from cea_exchange.domain.ccer.lots import Lot
from cea_exchange.domain.ccer.methodologies import Methodologies
from cea_exchange.domain.ccer.programme import ProgrammeRules, eligibility
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.ccer.terms import Term, term
from cea_exchange.domain.compliance.offsets import RegisteredTests
from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.institution.act_context import ActContext
from cea_exchange.institution.clock import InstitutionClock
from cea_exchange.institution.venue_link.feed import feed_append
from cea_exchange.ledger.double_entry import Compartment, EntryKind, legs_of
from cea_exchange.ledger.institutions import Institution
from cea_exchange.ledger.store import Store
from cea_exchange.protocol.control import FeedCommand


class RecordCause(NamedTuple):
    """What brings an entry about that no act does: how far settlement is then, and the day."""

    settlement_seq: int
    business_date: int


class Books(ActContext):
    """The CCER registry's books, as services see them.

    Parameters
    ----------
    store
        Open for writing, or for reading by who changes nothing.
    clock
        The time that is noted with acts, and the day that they belong to.

    Attributes
    ----------
    after_arrival : list of callable
        Each is called with who received what in registration, in the same transaction.
    after_trading : list of callable
        Each is called with whose trading account may have more of what to spare.
    after_opening : list of callable
        Each is called when the venue has opened a day: then any trading account may.
    """

    store: Store

    def __init__(self, store: Store, clock: InstitutionClock) -> None:
        super().__init__(store, clock)
        self.places = Places(store)
        self.after_arrival: list[Callable[[int, int], None]] = []
        self.after_trading: list[Callable[[int, int], None]] = []
        self.after_opening: list[Callable[[], None]] = []
        self._cause: RecordCause | None = None

    @cached_property
    def rules(self) -> ProgrammeRules:
        """The programme's terms and limits."""
        return ProgrammeRules.load()

    @cached_property
    def methodologies(self) -> Methodologies:
        """Those that were released."""
        return Methodologies.load()

    @cached_property
    def tests(self) -> RegisteredTests:
        """Which projects and reductions the programme takes."""
        return eligibility()

    def term(self, began_on: int, working_days: int) -> Term:
        """Return a term of working days, provisional where the calendar ends before."""
        return term(self.calendar, began_on, working_days)

    # -- accounts and instruments -------------------------------------------------------------

    def account(self, account: str, *kinds: str) -> int:
        """Return the index of an open account, of one of some kinds where they are given."""
        row = self.store.one(
            "SELECT account_index, kind, state FROM accounts"
            " WHERE account = ? AND account_index >= 0",
            (account,),
        )
        if row is None:
            raise ProgrammeError(
                CcerRefusal.ACCOUNT_UNKNOWN, f"account: expected an open one, got {account!r}"
            )
        index, kind, state = row
        if kinds and kind not in kinds:
            raise ProgrammeError(
                CcerRefusal.ACCOUNT_KIND,
                f"account: expected one of kind {' or '.join(kinds)}, got {account}, {kind}",
            )
        if state == "closed":
            raise ProgrammeError(
                CcerRefusal.ACCOUNT_ENDED, f"account: expected an open one, got {account}, closed"
            )
        return index

    def account_of_organisation(self, account: str, *kinds: str) -> int:
        """Return the index of an open account, of some kinds, that no natural person holds.

        Notes
        -----
        Rules: CCER-ACC-02.
        """
        index = self.account(account, *kinds)
        holder = self.store.one("SELECT holder FROM accounts WHERE account_index = ?", (index,))
        if holder != "organisation":
            raise ProgrammeError(
                CcerRefusal.ACCOUNT_KIND,
                f"account: expected one of an organisation, got {account}, of a {holder}",
            )
        return index

    def known(self, account: str) -> int:
        """Return the index of an account, of a closed one too."""
        index: int | None = self.store.one(
            "SELECT account_index FROM accounts WHERE account = ? AND account_index >= 0",
            (account,),
        )
        if index is None:
            raise ProgrammeError(
                CcerRefusal.ACCOUNT_UNKNOWN, f"account: expected one there is, got {account!r}"
            )
        return index

    def account_moving(self, account: str) -> int:
        """Return the index of an account that may dispose of what it has.

        Notes
        -----
        Rules: CCER-ACC-03.
        """
        index = self.account(account)
        state = self.store.one("SELECT state FROM accounts WHERE account_index = ?", (index,))
        if state != "open":
            raise ProgrammeError(
                CcerRefusal.ACCOUNT_RESTRICTED,
                f"account: expected one that is not restricted, got {account}",
            )
        return index

    def instrument(self, product: str) -> int:
        """Return the index of an instrument: a project's generation year."""
        index = self.store.product_index(product)
        if index is None:
            raise ProgrammeError(
                CcerRefusal.INSTRUMENT_UNKNOWN,
                f"instrument: expected one that was issued, got {product!r}",
            )
        return index

    # -- the exchange -------------------------------------------------------------------------

    def feed(self, command: FeedCommand) -> int:
        """Number a command for the venue, if the venue would understand it; within an act.

        Returns
        -------
        int
            Its `transfer_seq`.
        """
        try:
            # What the venue's strict decoder refuses would stop the feed for good.
            msgspec.convert(msgspec.to_builtins(command), type(command))
        except msgspec.ValidationError as error:
            raise ProgrammeError(
                CcerRefusal.VALUE_NOT_TAKEN, f"{type(command).__name__}: {error}"
            ) from None
        return feed_append(self.store, command, self.now_ns())

    # -- moves --------------------------------------------------------------------------------

    def issue(self, holder_index: int, asset_index: int, lot: Lot, reference: str) -> None:
        """Bring a new lot into being, on a holder's registration compartment."""
        kind = EntryKind.ISSUE
        with self.store.transaction():
            entry_id = self._post(
                kind, int(Institution.ISSUANCE), holder_index, asset_index, lot.tonnes, reference
            )
            place = Place(asset_index, holder_index, int(Compartment.REGISTRATION))
            self.places.issued(entry_id, lot, place)
            self._arrived(place)

    def move(
        self,
        kind: EntryKind,
        account_index: int,
        counter_index: int,
        asset_index: int,
        what: int | Sequence[Lot],
        reference: str,
    ) -> list[Lot]:
        """Post an entry from one account to another, or within one, and move its lots with it.

        Parameters
        ----------
        kind
            Says between which compartments (`legs_of`).
        what
            Tonnes, of which the lowest serials of the oldest batch go; or ranges of serials.
        reference
            The act it belongs to, as ``cancellation 12``.

        Returns
        -------
        list of Lot
            What moved.

        Raises
        ------
        ProgrammeError
            Not all of it is there; nothing was moved.

        Notes
        -----
        Rules: CCER-LOT-02, CCER-LOT-03, CCER-LOT-04.
        """
        # The tonnes are not known before the lots are, and the compartments don't depend on them.
        source, target = (
            Place(asset_index, leg.account_index, int(leg.compartment))
            for leg in legs_of(int(kind), account_index, counter_index, asset_index, 1)
        )
        with self.store.transaction():
            parts = (
                self.places.oldest(source, what)
                if isinstance(what, int)
                else [part for lot in what for part in self.places.named(source, lot)]
            )
            tonnes = sum(part.tonnes for part in parts)
            entry_id = self._post(
                kind, account_index, counter_index, asset_index, tonnes, reference
            )
            self.places.moved(entry_id, parts, target)
            self._arrived(target)
        return parts

    @contextmanager
    def caused_by(self, cause: RecordCause) -> Iterator[None]:
        """Let a record of the exchange bring about what is posted within, not an act of now."""
        before, self._cause = self._cause, cause
        try:
            yield
        finally:
            self._cause = before

    def _post(
        self, kind: EntryKind, account: int, counter: int, asset: int, tonnes: int, reference: str
    ) -> int:
        cause = self._cause or RecordCause(self.store.last_seq, self.business_date())
        return self.store.entry_add(
            kind,
            legs_of(int(kind), account, counter, asset, tonnes),
            (account, counter, asset, tonnes),
            settlement_seq=cause.settlement_seq,
            business_date=cause.business_date,
            reference=reference,
        )

    def _arrived(self, target: Place) -> None:
        if target.compartment == Compartment.REGISTRATION and target.account_index >= 0:
            for follow in self.after_arrival:
                follow(target.account_index, target.asset_index)
