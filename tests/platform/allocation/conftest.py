"""The same platform as in the rooms beside; on both databases only where tables are asked anew."""

import pytest

from support.platform.platform_world import World


@pytest.fixture
def world(tmp_path):
    with World(tmp_path) as found:
        yield found.founded()


@pytest.fixture
def world_on_both(tmp_path, database_address):
    with World(tmp_path, database_address) as found:
        yield found.founded()
