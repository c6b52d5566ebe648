"""A pytest plugin: attribute each line that runs to its test, or to a shared fixture.

What a fixture of a module runs is run for all tests of the module, and so on: its lines bear the
name of the module, class or session. Processes that a test starts have the name in their
environment.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import coverage
import pytest

CONTEXT = "CEA_MUTANT_CONTEXT"
TIMES = "CEA_MUTANT_TIMES"
"""Names the file that tells how long each test took, and which failed."""

seconds: Counter = Counter()
failed: list[str] = []


@contextmanager
def context(name: str) -> Iterator[None]:
    """Attribute lines to a name, and then again to the name that they were attributed to."""
    before = os.environ.get(CONTEXT, "")
    switch(name)
    try:
        yield
    finally:
        switch(before)


def switch(name: str) -> None:
    """Attribute lines to a name from now on."""
    os.environ[CONTEXT] = name
    measured = coverage.Coverage.current()
    assert measured is not None
    measured.switch_context(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Attribute what a test runs to the test."""
    with context(item.nodeid):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef, request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Attribute what a shared fixture runs to all whom it is shared by."""
    if fixturedef.scope == "function":
        return (yield)
    with context(request.node.nodeid or "tests"):
        return (yield)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how long a test took."""
    seconds[report.nodeid] += report.duration
    if report.failed:
        failed.append(report.nodeid)


def pytest_sessionfinish() -> None:
    """Write the times."""
    document = {"seconds": dict(seconds), "failed": failed}
    Path(os.environ[TIMES]).write_text(json.dumps(document), encoding="utf-8")
