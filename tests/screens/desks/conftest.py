"""The offices of a small nation, opened anew for each story that changes them."""

from collections.abc import Iterator

import pytest

from support.screens.offices import Offices, offices_open


@pytest.fixture
def offices(tmp_path) -> Iterator[Offices]:
    """Venue, registry, platform and bank."""
    with offices_open(tmp_path) as offices:
        yield offices
