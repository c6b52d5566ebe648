"""Both cores are a `MarketCore`, as the type checker sees them and as they are."""

import inspect
import subprocess
from pathlib import Path

import pytest

from cea_exchange.core.market import CompiledMarket
from cea_exchange.matching.market_core import MarketCore
from cea_exchange.matching.reference import ReferenceMarket
from support.type_checker import type_check

BOTH = """
from cea_exchange.core.market import CompiledMarket
from cea_exchange.matching.market_core import MarketCore
from cea_exchange.matching.reference import ReferenceMarket

compiled: type[MarketCore] = CompiledMarket
plain: type[MarketCore] = ReferenceMarket
"""
WRONG = """
from typing import SupportsIndex

from cea_exchange.matching.market_core import MarketCore
from cea_exchange.matching.reference import ReferenceMarket


class ByName(ReferenceMarket):
    def best(self, product: str, side: SupportsIndex) -> int:  # type: ignore[override]
        return 0


wrong: type[MarketCore] = ByName
"""
OF_COMPILED_ONLY = {"depth_into", "orders_into"}
"""Books into records, for pictures of whole books at speed."""


def checked(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Check a program as a user's strict type checker does."""
    program = folder / "program.py"
    program.write_text(text, encoding="utf-8")
    return type_check(folder, program)


@pytest.mark.slow
def test_the_type_checker_holds_both_cores_to_the_protocol(tmp_path: Path) -> None:
    finished = checked(tmp_path, BOTH)
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.slow
def test_the_type_checker_finds_a_core_that_takes_something_else(tmp_path: Path) -> None:
    """The canary: were this one taken for a core, the test above would prove nothing."""
    finished = checked(tmp_path, WRONG)
    assert finished.returncode == 1, finished.stdout + finished.stderr
    assert "[assignment]" in finished.stdout


def public_names(core: type) -> set[str]:
    return {name for name in dir(core) if not name.startswith("_")}


@pytest.mark.parametrize(
    ("core", "beside"), [(CompiledMarket, OF_COMPILED_ONLY), (ReferenceMarket, {"rows_needed"})]
)
def test_a_core_shows_what_the_protocol_names_and_nothing_else(
    core: type, beside: set[str]
) -> None:
    assert public_names(core) ^ public_names(MarketCore) == beside


def test_the_reference_market_takes_its_arguments_by_the_protocols_names() -> None:
    methods = dict(inspect.getmembers(MarketCore, inspect.isfunction))
    assert len(methods) > 40
    for name in methods.keys() & public_names(MarketCore):
        wanted = inspect.signature(methods[name]).parameters
        assert list(inspect.signature(getattr(ReferenceMarket, name)).parameters) == list(wanted)
