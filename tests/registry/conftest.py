"""A registry, on both databases."""

import pytest

from cea_exchange.registry.store import RegistryStore


@pytest.fixture(scope="session")
def store_class() -> type[RegistryStore]:
    """Whose tables a PostgreSQL database has at a test's begin."""
    return RegistryStore
