"""Each block of code on each page says what it is, and something that takes such takes it."""

import doctest
import importlib.util
import json
import re
import shlex
import tomllib
from itertools import takewhile

import pytest
import typer

from cea_exchange.cli.main import COMMAND_MODULES, app_build, run
from cea_exchange.domain.compliance.plans.plan import plan, plans_tried
from cea_exchange.domain.profile import profile_parse, profile_text
from cea_exchange.loadtest.flow.workload import workload_read
from cea_exchange.protocol.settings import settings_read
from cea_exchange.registry.config import RegistryConfig
from cea_exchange.registry.files import (
    SourceFile,
    allocation_read,
    cancellation_proofs_read,
    obligations_read,
    units_read,
)
from cea_exchange.screens.page import Page
from cea_exchange.screens.rendering import ENVIRONMENT
from cea_exchange.screens.serving.forms import Form
from cea_exchange.screens.visit import Visit
from cea_exchange.sweep.plan_file import plan_read
from cea_exchange.venue.config import VenueConfig
from support.command_tree import below, command_tree
from support.market.market_scripts import cea_with
from support.pages.blocks import LANGUAGES, Line, blocks, inline_codes, lines, pages
from support.pages.places import NOT_TYPED, place_of, plain, why_not_typed
from support.places import ROOT

PROMPT = ">>> "
PROVINCES = {"P0001": 11, "P0002": 11, "P0003": 31, "P001": 11}


def test_every_block_is_fenced_and_says_its_language():
    unsaid = [
        f"{each.place}: {each.language!r}" for each in blocks() if each.language not in LANGUAGES
    ]
    assert unsaid == [] and len(blocks()) > 250


def test_no_drawing_has_a_command_in_it():
    typed = re.compile(r"^\s*(cea-exchange|make|python3?|pip) (?! )")
    wrong = [
        f"{block.place}: {line}"
        for block in blocks("text")
        for line in block.text.splitlines()
        if typed.match(line)
    ]
    assert wrong == []


# -- Commands -------------------------------------------------------------------------------------


def test_every_command_is_typed_somewhere_or_it_is_said_why_not():
    homeless = [
        f"{line.place}: {line.typed}"
        for line in lines()
        if place_of(line.page) is None and why_not_typed(line) is None
    ]
    assert homeless == [] and len(lines()) > 250


def test_every_reason_not_to_type_is_needed():
    typed = [plain(line.typed) for line in lines()]
    unused = [start for start in NOT_TYPED if not any(re.match(start, each) for each in typed)]
    assert unused == []


# An image of this name is built of a folder.
IMAGE = "container"
ENDS = set("|;&<>()")


def ours(line: Line) -> list[list[str]]:
    """Return the words of each `cea-exchange` command in a line."""
    text = line.typed.replace("\\\n", " ")
    found = []
    for part in text.splitlines()[: 1 if "<<" in text else None]:
        lexer = shlex.shlex(part.replace("2>", ">"), posix=True, punctuation_chars="".join(ENDS))
        lexer.whitespace_split = True
        words = list(lexer)
        for place, word in enumerate(words):
            rest = [*takewhile(lambda each: not set(each) <= ENDS, words[place + 1 :])]
            # Else it is the name of a user, a folder or an image.
            is_ours = word == "cea-exchange" or word.endswith("/bin/cea-exchange")
            if is_ours and rest and re.match("[a-z]", rest[0]) and rest[0] != IMAGE:
                found.append(rest)
    return found


OURS = [
    pytest.param(words, id=f"{line.place}: {' '.join(words[:4])}")
    for line in lines()
    for words in ours(line)
]


@pytest.mark.parametrize("words", OURS)
def test_a_command_of_a_page_is_understood(words):
    found, rest = typer.main.get_command(app_build(words)), words
    with found.make_context("cea-exchange", list(words)) as context:
        while hasattr(found, "resolve_command"):
            # `load` runs where it is given options at once.
            rest = ["run", *rest] if rest[0].startswith("-") else rest
            _name, found, rest = found.resolve_command(context, rest)
        own = type(context)(found, parent=context)
        _values, left, _order = found.make_parser(own).parse_args(args=list(rest))
    assert left == []


@pytest.mark.parametrize("page", pages())
def test_a_command_that_a_page_names_is_there(page):
    there = {path for name in COMMAND_MODULES for path, _ in below(command_tree(name), name)}
    named = [
        " ".join(each.removeprefix("cea-exchange ").split())
        for each in inline_codes(page)
        if re.match(r"cea-exchange [a-z]", each)
    ]
    wrong = [
        each for each in named
        if not any(each == path or each.startswith(f"{path} ") for path in there)
    ]  # fmt: skip
    assert wrong == []


def test_modules_that_are_run_are_there():
    module = re.compile(r"python -m ([\w.]+)")
    named = {match[1] for line in lines() for match in module.finditer(line.typed)}
    folders = {"bench": ROOT / "bench", "torture": ROOT / "tests/torture"}
    folders["failover"] = ROOT / "tests/failover"
    for name in named - {"pytest", "venv", "pip"}:
        first, _, rest = name.partition(".")
        place = folders[first].joinpath(*rest.split("."))
        assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), name
    assert importlib.util.find_spec("pytest") and len(named) > 10


# -- Python ---------------------------------------------------------------------------------------

SHOWN = sorted({each.page for each in blocks("python") if each.text.startswith(PROMPT)})


@pytest.mark.parametrize("page", SHOWN)
def test_what_python_is_shown_to_print_it_prints(page):
    """All of a page's blocks in one interpreter, one after the other."""
    parser, runner, names = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False), {}
    for block in blocks("python"):
        if block.page == page and block.text.startswith(PROMPT):
            test = parser.get_doctest(block.text, names, page, page, block.line)
            runner.run(test, clear_globs=False)
            names = test.globs
    result = runner.summarize()
    assert (result.failed, result.attempted > 5) == (0, True)


def test_other_python_is_run_at_an_exchange_or_is_that_of_the_screens():
    others = {each.page for each in blocks("python") if not each.text.startswith(PROMPT)}
    assert others == {"protocol/order_entry.md", "protocol/supervision.md", "protocol/screens.md"}


# -- The screens' own page ------------------------------------------------------------------------


def of_screens(language):
    return "\n".join(each.text for each in blocks(language) if each.page == "protocol/screens.md")


def test_a_page_of_the_screens_is_made_as_it_is_told():
    page, form = (each.text for each in blocks("python") if each.page == "protocol/screens.md")
    source = f"from __future__ import annotations\n{form}\n{page}"
    names = {"Page": Page, "Visit": Visit, "Form": Form}
    exec(compile(source, "screens.md", "exec"), names)
    (made,) = names["PAGES"]
    assert made.path == "/holdings" and made.acts[""] is names["transfer_send"]
    for name, kind in (("visit", Visit), ("form", Form)):
        used = set(re.findall(rf"\b{name}\.(\w+)", source))
        unknown = used - {*dir(kind), *kind.__init__.__code__.co_names}
        assert used and not unknown, unknown


def test_its_templates_are_understood_and_take_components_there_are():
    there = vars(ENVIRONMENT.get_template("components.html").module)
    used = set(re.findall(r"\bui\.(\w+)", of_screens("jinja")))
    assert len(used) > 4 and used <= there.keys(), used - there.keys()
    for each in blocks("jinja"):
        ENVIRONMENT.parse(each.text)


# -- Settings, plans, files -----------------------------------------------------------------------


def toml(page):
    return [each.text for each in blocks("toml") if each.page == page]


def test_every_block_of_settings_is_read_by_what_takes_it(tmp_path):
    def read(text, kind):
        path = tmp_path / "settings.toml"
        path.write_text(text, encoding="utf-8")
        return settings_read(path, kind)

    (operators,) = toml("protocol/admin.md")
    assert [each.name for each in read(operators, VenueConfig).operators] == ["an"]
    (metrics,) = toml("contrib/containers.md")
    assert read(metrics, VenueConfig).metrics == read(metrics, RegistryConfig).metrics
    (database,) = toml("contrib/failover.md")
    assert read(database, RegistryConfig).database_synchronous
    (swept,) = toml("protocol/sweep.md")
    (tmp_path / "band.toml").write_text(swept, encoding="utf-8")
    assert plan_read(tmp_path / "band.toml")
    (workload,) = toml("protocol/load.md")
    assert workload_read(workload, "load.md").participants == 64
    (notice,) = toml("protocol/profiles.md")
    assert profile_parse(f"{profile_text('cea')}\n{notice}", "profiles.md")
    (values,) = toml("protocol/auctions.md")
    given = {name: json.dumps(each["value"]) for name, each in tomllib.loads(values).items()}
    assert cea_with(**given) != cea_with()
    (cap,) = toml("protocol/year.md")
    plans = ROOT / "src/cea_exchange/domain/compliance/plans"
    with plans_tried(f"{(plans / '2025.toml').read_text(encoding='utf-8')}\n{cap}", "2025.toml"):
        assert plan(2025).absolute_cap.tonnes == 16_000_000
    assert plan(2025).absolute_cap is None
    assert len(blocks("toml")) == 8


def test_every_table_is_read_by_what_takes_it(tmp_path, capsys):
    tables = {
        each.text.splitlines()[0]: SourceFile("table.csv", each.text.encode())
        for each in blocks("csv")
        if each.page == "protocol/registry_files.md"
    }
    allocation, units, obligations, proofs = tables.values()
    read = (
        allocation_read(allocation, vintages={"CEA24": 2024}, provinces=PROVINCES),
        units_read(
            units, compliance_year=2024, stage="final", accounts=("P0001",), provinces=PROVINCES
        ),
        obligations_read(obligations, provinces=PROVINCES),
        cancellation_proofs_read(proofs, provinces=PROVINCES),
    )
    assert [len(each.rows) for each in read] == [3, 2, 1, 1]
    (bids,) = [each for each in blocks("csv") if each.page == "protocol/auctions.md"]
    (tmp_path / "bids.csv").write_text(bids.text, encoding="utf-8")
    assert run(["auction", str(tmp_path / "bids.csv"), "--tonnes", "50000"]) == 0
    assert "alice" in capsys.readouterr().out
    # The sixth is order_flow.md's, which `replay` takes: test_typed_alone.py.
    assert len(blocks("csv")) == 6
