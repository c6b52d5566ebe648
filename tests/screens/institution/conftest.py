"""The institutions of a small nation, opened anew for each story that changes them."""

from collections.abc import Iterator

import pytest

from support.screens.institutions import Institutions, institutions_open


@pytest.fixture
def institutions(tmp_path) -> Iterator[Institutions]:
    """Venue, registry, platform and bank."""
    with institutions_open(tmp_path) as institutions:
        yield institutions
