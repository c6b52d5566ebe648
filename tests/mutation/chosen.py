"""A pytest plugin: of the tests in the named files run only those listed, in the files' order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CHOSEN = "CEA_MUTANT_TESTS"
"""Names the file with a test in each line."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out all tests that are not listed."""
    wanted = {*Path(os.environ[CHOSEN]).read_text(encoding="utf-8").splitlines()}
    left_out = [item for item in items if item.nodeid not in wanted]
    items[:] = [item for item in items if item.nodeid in wanted]
    config.hook.pytest_deselected(items=left_out)
