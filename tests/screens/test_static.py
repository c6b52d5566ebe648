"""Static files: what is others' is as they published it, and nothing comes from elsewhere."""

import hashlib
import re
import tomllib

import pytest

from cea_exchange.screens.rendering import STATIC
from support.places import ROOT, TESTS

OURS = ROOT / "src" / "cea_exchange" / "screens"
FOLDERS = (OURS / "static" / "vendor", TESTS / "screens" / "vendor")
ELSEWHERE = re.compile(r"""(?:src|href|action|url|import|fetch)\s*[=(]\s*["']?(?:https?:)?//""")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_files_of_others_are_as_they_were_published(folder):
    listed = tomllib.loads((folder / "VENDOR.toml").read_text())
    files = {each["file"]: each["sha256"] for each in listed.values()}
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.suffix in (".js", ".css")
    }
    assert found == files
    for each in listed.values():
        assert (folder / each["license_file"]).read_text().strip()


def test_pages_load_nothing_from_another_address():
    paths = [*OURS.rglob("*.html"), *OURS.joinpath("static").glob("*.*")]
    assert len(paths) > 20
    assert [path.name for path in paths if ELSEWHERE.search(path.read_text())] == []


def test_templates_have_neither_script_nor_style_of_their_own():
    own = re.compile(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+=|hx-on")
    assert [path.name for path in OURS.rglob("*.html") if own.search(path.read_text())] == []


def test_the_boards_first_view_is_light():
    """The scripts and styles that the market's page asks for, before they are packed."""
    names = ("vendor/uPlot.min.css", "style.css", "live.js", "chart.js", "mark.svg")
    names += ("vendor/uPlot.iife.min.js",)
    assert sum(len(STATIC.joinpath(name).read_bytes()) for name in names) < 120_000
