"""The commands of institutions that settle what an exchange trades: they know a venue's folder."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from cea_exchange.cli.daemons.institution import Database, InstitutionCommands
from cea_exchange.cli.errors import bad_input, file_used
from cea_exchange.cli.options import Data, Json


class TradedCommands(InstitutionCommands):
    """Commands of an institution whose books are compared with those of a venue."""

    def verify(
        self,
        data: Data,
        database: Database = None,
        json: Json = False,
        venue: Annotated[
            Path | None,
            typer.Option("--venue", help="A venue's data folder: what its journal has, too."),
        ] = None,
    ) -> None:
        """Check the chain of hashes over all the {title} knows; 1, and the place, if it breaks.

        Each link is computed again from what it covers, and every row compared with the log of
        rows. With --venue, the ledger is compared with what a venue's folder has: the heads, the
        items of the feed, and the settlement records. Each that the ledger lacks is named.

        Example: cea-exchange {name} verify --venue .
        """
        if venue is None:
            super().verify(data, database, json)
            return
        from cea_exchange.institution.maintenance.partner_heads import behind
        from cea_exchange.institution.maintenance.venue_books import venue_compared
        from cea_exchange.journal import JournalError
        from cea_exchange.venue.registry_link.ledger_books import venue_books

        with bad_input(JournalError), file_used(venue, "can't be read"):
            # Read first: the ledger at work goes on, and must not lack what came meanwhile.
            books = venue_books(venue)
            with self.view(data, database) as store:
                last = store.link
                integrity = [*self.integrity(store)]
                against = venue_compared(store, books)
        shown: dict[str, Any] = {"links": last.link_id, "head": last.head}
        shown["unanchored"] = msgspec.to_builtins(against.unanchored)
        remarks = [behind(self.name, against.unanchored)]
        if against.lacking_from is not None:
            shown["lacking_from"] = against.lacking_from
            remarks.append(
                f"The venue's events end before settlement record {against.lacking_from}, which"
                " the ledger has: cea-exchange verify reads the venue's journal"
            )
        self.verified(shown, [*integrity, *against.differences], remarks, json)
