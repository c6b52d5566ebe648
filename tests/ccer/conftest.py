"""A CCER registry, on both databases."""

import pytest

from cea_exchange.ccer.store import CcerStore


@pytest.fixture(scope="session")
def store_class() -> type[CcerStore]:
    """Whose tables a PostgreSQL database has at a test's begin."""
    return CcerStore
