"""A platform with an enterprise, on both databases."""

import pytest

from cea_exchange.platform.store import PlatformStore
from support.platform.platform_world import World


@pytest.fixture(scope="session")
def store_class() -> type[PlatformStore]:
    """Whose tables a PostgreSQL database has at a test's begin."""
    return PlatformStore


@pytest.fixture
def world(tmp_path, database_address):
    with World(tmp_path, database_address) as found:
        yield found.founded()
