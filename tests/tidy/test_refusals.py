"""Refusals are codes: each raise names one, each code has a test, and all words have one form."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from cea_exchange.domain.refusals import (
    BankRefusal,
    CcerRefusal,
    InstitutionRefusal,
    PlatformRefusal,
    RegistryRefusal,
    VenueRefusal,
)
from support.places import ROOT

SOURCES = sorted((ROOT / "src" / "cea_exchange").rglob("*.py"))
WORDED = {
    "ActError": (InstitutionRefusal, RegistryRefusal),
    "ComplianceError": (RegistryRefusal,),
    "BankActError": (BankRefusal,),
    "ProgrammeError": (CcerRefusal,),
    "PlatformActError": (PlatformRefusal,),
}
"""Exceptions that become refused answers, and of whose codes: called with a code and words."""
CODED = WORDED | {"FrameError": (VenueRefusal,)}
DAEMONS = (VenueRefusal, RegistryRefusal, BankRefusal, CcerRefusal, PlatformRefusal)
INCLUDING = (RegistryRefusal, CcerRefusal, PlatformRefusal)
"""They have the codes of every institution, which its own modules raise."""


def calls(text: str, names: dict) -> Iterator[tuple[ast.Call, str]]:
    """Yield each call that makes one of the exceptions, with its name."""
    if not any(name in text for name in names):
        return  # most modules refuse nothing, and parsing takes its time
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield node, node.func.id


def said(node: ast.expr) -> str | None:
    """Return the words of a literal, with {} for what is filled in; None where it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
        )
    return None


def uncoded(text: str) -> Iterator[tuple[int, str]]:
    """Find refusals whose first argument is no code of the daemon's enum."""
    for call, name in calls(text, CODED):
        first = call.args[0] if call.args else None
        codes = {each.__name__: each.__members__ for each in CODED[name]}
        if isinstance(first, ast.Attribute) and ast.unparse(first.value).endswith("Refusal"):
            if first.attr not in codes.get(ast.unparse(first.value), ()):
                yield call.lineno, f"{ast.unparse(first)} is no code of {', '.join(codes)}"
        elif name in WORDED and len(call.args) != 2:
            yield call.lineno, f"{name} must be called with a code and words"
        elif first is None or isinstance(first, ast.Constant | ast.JoinedStr):
            yield call.lineno, f"{name} must be called with a code first"


def ungrammatical(text: str) -> Iterator[tuple[int, str]]:
    """Find words of refusals that do not say what was expected and what was got."""
    for call, _name in calls(text, WORDED):
        words = said(call.args[1]) if len(call.args) > 1 else None
        if words is None or re.fullmatch(r"({}|[a-z_]+)( {})?: {}", words):
            continue  # the words are another layer's
        if not re.search(r"\bexpected\b.*, got\b", words):
            yield call.lineno, f"expected 'expected ..., got ...', got {words!r}"


def findings(check: Callable[[str], Iterator[tuple[int, str]]]) -> list[str]:
    """Return what a check finds in all sources, with places."""
    return [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in SOURCES
        for line, what in check(path.read_text(encoding="utf-8"))
    ]


def test_every_refusal_names_its_code():
    assert findings(uncoded) == []


def test_every_refusal_says_what_was_expected_and_what_was_got():
    assert findings(ungrammatical) == []


def joined(paths: Iterable[Path]) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


@cache
def all_text() -> tuple[str, str]:
    """Return what all sources say, and what all tests say."""
    sources = (path for path in SOURCES if path.parent.name != "refusals")
    tests = (path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__))
    return joined(sources), joined(tests)


@pytest.mark.parametrize("codes", DAEMONS, ids=lambda codes: codes.__name__)
def test_every_code_is_raised_and_provoked_by_a_test(codes):
    sources, tests = all_text()
    raised = set(re.findall(rf"{codes.__name__}\.([A-Z_]+)", sources))
    if codes in INCLUDING:
        enums = "|".join(each.__name__ for each in (InstitutionRefusal, *INCLUDING))
        shared = set(re.findall(rf"(?:{enums})\.([A-Z_]+)", sources))
        raised |= shared & set(InstitutionRefusal.__members__)
    # Only the registries' are not those of another list, such as `Reason`, as well.
    prefix = "" if codes in INCLUDING else rf"{codes.__name__}\."
    named = set(re.findall(rf"\b{prefix}([A-Z][A-Z_]+)\b", tests))
    assert {"not raised": set(codes.__members__) - raised} == {"not raised": set()}
    assert {"without a test": set(codes.__members__) - named} == {"without a test": set()}


@pytest.mark.parametrize("codes", INCLUDING, ids=lambda codes: codes.__name__)
def test_the_codes_of_every_institution_have_one_number_everywhere(codes):
    shared = InstitutionRefusal.__members__
    assert shared == {name: code for name, code in codes.__members__.items() if name in shared}


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (uncoded, 'ActError("no such account")'),
        (uncoded, "ActError()"),
        (uncoded, "ActError(str(error))"),
        (uncoded, 'FrameError(expected="a", got="b", where="c")'),
        (uncoded, 'ActError(VenueRefusal.BUSY, "x")'),
        (uncoded, 'ActError(RegistryRefusal.NO_SUCH_CODE, "x")'),
        (ungrammatical, 'ActError(RegistryRefusal.BUSY, f"{a}: expected {b}, came {c}")'),
        (ungrammatical, 'ActError(RegistryRefusal.BUSY, "expected another")'),
    ],
)
def test_each_check_finds_what_it_is_for(check, text):
    assert len(list(check(text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        'ActError(RegistryRefusal.BUSY, f"{a}: expected {b}, got {c}")',
        'ActError(RegistryRefusal.BUSY, f"{kind.name}: {error}")',
        "ActError(error.code, str(error))",
        "FrameError(code, expected=a, got=b, where=c)",
    ],
)
def test_what_is_right_is_no_finding(text):
    assert [*uncoded(text), *ungrammatical(text)] == []
