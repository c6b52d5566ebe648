"""The blocks of code on the pages: what language each says it is in, and the commands in it.

The language behind the fence says what becomes of a block: `sh` is typed, `python` run, `toml`,
`csv`, `sql` and `jinja` given to what takes them; `text` is a drawing or an output, `conf` another
program's.
"""

import re
from functools import cache
from typing import NamedTuple

from markdown_it import MarkdownIt

from support.places import ROOT

FOLDERS = ("protocol", "bench", "examples", "tests", "docs", "contrib")
LANGUAGES = {"sh", "python", "toml", "csv", "sql", "jinja", "text", "conf"}


class Block(NamedTuple):
    """A block of code: where it stands, in which language, and its text."""

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def pages() -> dict[str, str]:
    """Return every page's text by its place in the repository."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md")]
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted([*ROOT.glob("*.md"), *found])
    }


def blocks(language: str | None = None) -> list[Block]:
    """Return the blocks of all pages, or those in a language, in their order."""
    return [each for each in _blocks() if language in (None, each.language)]


@cache
def _blocks() -> list[Block]:
    outline = MarkdownIt("commonmark").disable("inline")
    return [
        Block(page, token.map[0] + 1, token.info.strip(), token.content)
        for page, text in pages().items()
        for token in outline.parse(text)
        if token.type in ("fence", "code_block") and token.map is not None
    ]


@cache
def inline_codes(page: str) -> list[str]:
    """Return what stands between single backticks on a page."""
    tokens = MarkdownIt("commonmark").enable("table").parse(pages()[page])
    return [
        child.content
        for token in tokens
        for child in token.children or ()
        if child.type == "code_inline"
    ]


class Line(NamedTuple):
    """A command of a page: where it stands, what is typed."""

    page: str
    line: int
    typed: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def lines() -> list[Line]:
    """Return the commands of all `sh` blocks; what goes on in another line is one."""
    return [
        Line(block.page, block.line + 1 + number, typed)
        for block in blocks("sh")
        for number, typed in _commands(block.text)
    ]


def _commands(text: str) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    waits_for = None
    for number, line in enumerate(text.splitlines()):
        is_more = found and (waits_for is not None or found[-1][1].endswith("\\"))
        if is_more:
            found[-1] = (found[-1][0], f"{found[-1][1]}\n{line}")
        elif line.strip() and not line.lstrip().startswith("#"):
            found.append((number, line))
        if waits_for is None and (here := re.search(r"<<'?(\w+)'?", line)):
            waits_for = here[1]
        elif waits_for is None and re.match(r"(for|until|while) .*; do$", line):
            waits_for = "done"
        elif waits_for is not None and line.startswith(waits_for):
            waits_for = None
    return found
