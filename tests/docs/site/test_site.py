"""Each page of the site has its place and both titles, each link goes somewhere, it builds."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from functools import cache

import pytest
from pymdownx.slugs import slugify

import cea_exchange
import cea_exchange.client
import cea_exchange.plots
from support.places import ROOT

NAV = tomllib.loads((ROOT / "docs/site/nav.toml").read_text(encoding="utf-8"))["tab"]
LINK = re.compile(r"(?<!!)\[[^]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+?)(?: *\{#([\w-]+)\})?$", re.MULTILINE)
FENCE = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
DOCUMENTED = re.compile(r"^::: (\S+)$", re.MULTILINE)
BUILD_S_MAX = 300
QUIET = {"NO_MKDOCS_2_WARNING": "1"}
"""The theme tells of its successor in each build; the Makefile says the same."""


@cache
def hook():
    spec = importlib.util.spec_from_file_location("site_pages", ROOT / "docs/site/pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def pages(language):
    """Every page's text by its place, those that are made with the site among them."""
    found = {
        place: path.read_text(encoding="utf-8")
        for place, path in hook().pages_of(language).items()
    }
    made = (hook().refusal_pages(language), hook().settings_pages(), hook().notebook_pages())
    return found | {place: text for each in made for place, text in each}


@cache
def anchors(place, language):
    slug = slugify(case="lower")
    plain = FENCE.sub("", pages(language)[place])
    return {given or slug(re.sub(r"[`*]", "", text), "-") for text, given in HEADING.findall(plain)}


def broken(language):
    """Yield each link that goes nowhere, as the page and the target."""
    kept = hook().pages_of(language)
    for place, text in pages(language).items():
        for target in LINK.findall(FENCE.sub("", text)):
            if "://" in target:
                continue
            path, _, anchor = target.partition("#")
            whole = (ROOT / place).parent.joinpath(path).resolve() if path else ROOT / place
            name = whole.relative_to(ROOT).as_posix()
            # Who reads a page where it is has no page that is made with the site.
            if place in kept and not whole.is_file():
                yield f"{place}: {target}: no such page or file"
            elif name in pages(language):
                if anchor and anchor not in anchors(name, language):
                    yield f"{place}: {target}: no such heading"
            elif not whole.is_file():
                yield f"{place}: {target}: no such page or file"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_link_goes_somewhere(language):
    assert sum(len(LINK.findall(text)) for text in pages(language).values()) > 500
    assert list(broken(language)) == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_has_one_place_in_the_navigation(language):
    placed = [page["page"] for tab in NAV for page in tab["pages"]]
    assert sorted(placed) == sorted(pages(language))


def test_every_title_is_in_both_languages():
    titled = [each for tab in NAV for each in (tab, *tab["pages"])]
    assert all(each["en"] and each["zh"] for each in titled)
    same = {each["en"] for each in titled if each["en"] == each["zh"]}
    assert same == {"Python"}


def test_everything_public_is_in_the_reference():
    shown = {
        name
        for path in (ROOT / "docs" / "reference").glob("*.md")
        for name in DOCUMENTED.findall(path.read_text(encoding="utf-8"))
    }
    public = {
        f"{module.__name__}.{name}"
        for module in (cea_exchange, cea_exchange.client, cea_exchange.plots)
        for name in module.__all__
        if not name.startswith("__")
    }
    assert public <= shown, public - shown


def test_every_refusal_and_setting_has_a_place_of_its_own():
    text = "\n".join(text for place, text in pages("zh").items() if "refusals/" in place)
    refusals = hook().explanations("refusal")
    assert len(refusals) > 250
    for each in refusals:
        assert f"## {each.name}\n" in text and each.chinese in text
    settings = pages("en")["docs/settings.md"]
    keys = [each.name.partition(".")[2] for each in hook().explanations("setting")]
    assert len(keys) > 100 and all(f"| `{key}` |" in settings for key in keys)


def test_a_list_is_set_off_from_the_line_before_it_and_nothing_else_is():
    markdown = "Text:\n- one\n- two\n  more\n\n1. a\n2. b\n| a |\n- x\n"
    assert hook().on_page_markdown(markdown) == (
        "Text:\n\n- one\n- two\n  more\n\n1. a\n2. b\n| a |\n- x\n"
    )


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("config", "language"), [("mkdocs.yml", "en"), ("docs/site/zh.yml", "zh")]
)
def test_the_site_builds_without_a_warning_and_without_a_network(config, language, tmp_path):
    # A socket that is opened ends the build.
    (tmp_path / "sitecustomize.py").write_text(
        "import socket\n\n\n"
        "def refused(*_):\n    raise SystemExit('the build opened a socket')\n\n\n"
        "socket.socket.connect = refused\n"
    )
    site = tmp_path / "site"
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", config,
         "--site-dir", site],
        cwd=ROOT, env={"PYTHONPATH": str(tmp_path), "LC_ALL": "C.UTF-8", "PATH": "", **QUIET},
        capture_output=True, text=True, timeout=BUILD_S_MAX,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    assert "WARNING" not in built.stderr
    start = (site / "index.html").read_text(encoding="utf-8")
    assert f'lang="{language}"' in start
    # Nothing of a page is fetched from elsewhere.
    fetched = re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=[\"']?(https?://[^\"' >]+)", start)
    assert fetched == []
    assert (site / "docs/site/style.css").is_file() and "docs/site/style.css" in start
    market = (site / "docs/reference/market.html").read_text(encoding="utf-8")
    assert "block_counter" in market and "bidding_open" in market
    assert len(list(site.rglob("*.html"))) > 80
