"""Pages of provinces, cities and the authority: lists, reviews, allocations, progress, cases."""

from cea_exchange.screens.officials import allocations, cases, compliance, entities, reviews
from cea_exchange.screens.page import Page

PAGES: tuple[Page, ...] = (
    *entities.PAGES,
    *reviews.PAGES,
    *allocations.PAGES,
    *compliance.PAGES,
    *cases.PAGES,
)
