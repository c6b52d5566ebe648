"""Anchors: heads of an institution's chain that its partners keep, and of theirs that it keeps.

    own chain --head--> with each question and answer, when something was done --> partner keeps it
        ^                                                                               |
        +-------- compared with the own chain <-- the last head that is kept <----------+

Who rewrites a database, its chain too, can't rewrite what a partner keeps. Only what was done since
the last anchor can still be rewritten unseen: it is counted, and shown.
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from cea_exchange.ledger.chain import LINK_COLUMNS, Link, link_last
from cea_exchange.ledger.record_store import RecordStore
from cea_exchange.protocol.links.anchors import Anchor, Anchors

TITLES = {"ccer": "CCER registry"}
"""What partners are called, where it is not by their names."""


class Unanchored(msgspec.Struct, frozen=True):
    """The part of a chain that no partner has an anchor of.

    Attributes
    ----------
    links, acts
        How many; acts are counted within those links.
    since_ns
        When the first of these acts was done, nanoseconds since 1970; 0 is none.
    """

    links: int
    acts: int
    since_ns: int


class _Done(NamedTuple):
    """What an anchor is due after: an act, the beginning of a day, a word of the link."""

    act_last: int
    day_last: int
    word_count: int


class Anchoring:
    """Says the own chain's head to one partner, and keeps the partner's.

    Parameters
    ----------
    store
        The institution's database.
    partner
        Its name, as `partner_heads` has it.
    word_count
        Returns how many items the partner was told, and answers it gave, that are kept.

    Attributes
    ----------
    covered : Anchor or None
        The last of the own heads that the partner has said it keeps, in this process's life.

    Notes
    -----
    Rules: CEA-REG-05.
    """

    def __init__(
        self, store: RecordStore, partner: str, word_count: Callable[[], int] = lambda: 0
    ) -> None:
        self._store = store
        self._partner = partner
        self._title = TITLES.get(partner, partner)
        self._word_count = word_count
        self.covered: Anchor | None = None
        self._covered_done: _Done | None = None
        self._said: tuple[Anchor, _Done] | None = None

    def said(self) -> Anchors:
        """Return what goes with a message: only heads that are committed are said."""
        return Anchors(own=self._own(), kept=self.kept())

    def _own(self) -> Anchor | None:
        """Return the head of now, if something was done since the one that the partner keeps.

        That heads were kept is nothing that is done: two partners would have to say for ever what
        each has kept of the other.
        """
        if self._store.is_in_transaction:
            return None
        done = self._done()
        if done == self._covered_done:
            return None
        own = Anchor(self._store.link.link_id, self._store.link.head)
        self._said = own, done
        return own

    def _done(self) -> _Done:
        act_last, day_last = self._store.one(
            "SELECT (SELECT coalesce(max(act_id), 0) FROM acts),"
            " (SELECT coalesce(max(business_date), 0) FROM business_days)"
        )
        return _Done(act_last, day_last, self._word_count())

    def shown(self) -> dict[str, int]:
        """Return for the status how far the partner keeps the own chain.

        Returns
        -------
        dict of str to int
            ``link_id``, 0 before the partner's first word in this process's life, and what
            `Unanchored` has.
        """
        link_id = 0 if self.covered is None else self.covered.link_id
        return {"link_id": link_id, **msgspec.structs.asdict(unanchored(self._store, link_id))}

    def kept(self) -> Anchor | None:
        """Return the last head of the partner's chain that is kept."""
        return kept_last(self._store, self._partner)

    def wrong(self, anchors: Anchors) -> str:
        """Return what is wrong with what a partner says: by it the own chain was rewritten.

        Returns '' if nothing is. What the partner keeps is taken to be covered then.
        """
        kept = anchors.kept
        if kept is None:
            return ""
        head = self._store.find("chain", "head", link_id=kept.link_id)
        if head != kept.head:
            has = "there is no such link here" if head is None else f"here its head is {head}"
            return (
                f"the {self._title} keeps the head {kept.head} of link {kept.link_id} of the"
                f" chain, {has}: this database was rewritten, or is older than that"
            )
        self.covered = kept
        if self._said is not None and self._said[0] == kept:
            self._covered_done = self._said[1]
        return ""

    def partner_wrong(self, anchors: Anchors) -> str:
        """Return how the head that a partner says contradicts those that are kept; '' if not."""
        own, kept = anchors.own, self.kept()
        if own is None or kept is None or own == kept or own.link_id > kept.link_id:
            return ""
        same = self._store.find(
            "partner_heads", "head", partner=self._partner, link_id=own.link_id
        )
        if same == own.head:
            return ""
        return (
            f"link {kept.link_id} of the {self._title}'s chain is kept here, it says link"
            f" {own.link_id} with the head {own.head}: its database was rewritten, or is older"
            " than that"
        )

    def keep(self, anchors: Anchors, now_ns: int) -> None:
        """Keep the head that a partner says, if it is a later one."""
        own, kept = anchors.own, self.kept()
        if own is None or (kept is not None and own.link_id <= kept.link_id):
            return
        with self._store.transaction():
            row = (self._partner, own.link_id, own.head, now_ns)
            self._store.insert("partner_heads (partner, link_id, head, kept_at_ns)", [row])


def kept_last(store: RecordStore, partner: str) -> Anchor | None:
    """Return the last head of a partner's chain that a database keeps; None before the first."""
    row = store.one(
        "SELECT link_id, head FROM partner_heads WHERE partner = ? ORDER BY link_id DESC LIMIT 1",
        (partner,),
    )
    return None if row is None else Anchor(*row)


def kept_heads(store: RecordStore, partner: str) -> list[tuple[int, str]]:
    """Return link and head of all anchors of a partner's chain that a database keeps."""
    return store.all(
        "SELECT link_id, head FROM partner_heads WHERE partner = ? ORDER BY link_id", (partner,)
    )


def unanchored(store: RecordStore, link_id: int) -> Unanchored:
    """Return what lies behind a link: the last of which a partner has the head; 0 is none."""
    row = store.one(f"SELECT {LINK_COLUMNS} FROM chain WHERE link_id = ?", (link_id,))
    change_last = 0 if row is None else Link(*row).change_last
    acts, since_ns = store.one(
        "SELECT count(*), coalesce(min(at_ns), 0) FROM acts WHERE act_id > coalesce("
        "(SELECT CAST(row_key AS BIGINT) FROM row_changes WHERE table_name = 'acts'"
        " AND change_id <= ? ORDER BY change_id DESC LIMIT 1), 0)",
        (change_last,),
    )
    return Unanchored(link_last(store.database).link_id - link_id, acts, since_ns)
