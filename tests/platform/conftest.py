"""A platform with an enterprise, on both databases."""

import pytest

from support.platform.platform_world import World


@pytest.fixture
def world(tmp_path, database_address):
    with World(tmp_path, database_address) as found:
        yield found.founded()
