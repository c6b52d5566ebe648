"""A firm's pages: its account, its obligation up to the certificate, what it has to file."""

from cea_exchange.screens.firm import account, filings, month, obligation
from cea_exchange.screens.page import Page

PAGES: tuple[Page, ...] = (*account.PAGES, *obligation.PAGES, *filings.PAGES, *month.PAGES)
