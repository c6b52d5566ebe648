"""Collects the site's pages for mkdocs, from where they are; `mkdocs.yml` names this hook.

The site is laid out as the repository, so a link holds in both. Beside the pages it has what they
link to; of each refusal and each setting what `cea-exchange explain` says; and the notebooks. In
Chinese `x.zh.md` stands in the place of `x.md`, where there is one.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from cea_exchange.cli.help.explanations import Explanation, everything

ROOT = Path(__file__).parents[2]
NAV = tomllib.loads((ROOT / "docs" / "site" / "nav.toml").read_text(encoding="utf-8"))
FOLDERS = ("protocol", "contrib", "bench", "examples", "tests", "docs")
CHINESE = ".zh.md"
STYLE = "docs/site/style.css"
_LINK = re.compile(r"\]\(([^)#\s]+)")
_LIST_AFTER_TEXT = re.compile(
    r"^(?! *(?:[-*]|\d+\.) |\||#|```|>| {4})(\S.*)\n(?=(?:[-*]|\d+\.) )", re.MULTILINE
)
_SYSTEMS = ("market", "venue", "registry", "platform", "ccer", "bank", "any institution")


def on_config(config: MkDocsConfig) -> None:
    """Name the pages in the site's language."""
    language = config.theme["language"]
    config.nav = [
        {tab[language]: [{page[language]: page["page"]} for page in tab["pages"]]}
        for tab in NAV["tab"]
    ]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take the repository's pages, and what they link to, in place of a folder's."""
    language = config.theme["language"]
    collected = Files([file for file in files if file.src_dir != config.docs_dir])
    pages = {place: path.read_text(encoding="utf-8") for place, path in pages_of(language).items()}
    for name in sorted(linked(pages)):
        collected.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    collected.append(File.generated(config, STYLE, abs_src_path=str(ROOT / STYLE)))
    pages |= dict(refusal_pages(language)) | dict(settings_pages()) | dict(notebook_pages())
    for place, text in sorted(pages.items()):
        collected.append(File.generated(config, place, content=text))
    return collected


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Set lists off from the line before them: GitHub needs no blank line there, mkdocs does."""
    return _LIST_AFTER_TEXT.sub(r"\1\n\n", markdown)


def pages_of(language: str) -> dict[str, Path]:
    """Return the file of each page by its place."""
    found = [*ROOT.glob("*.md")]
    for folder in FOLDERS:
        found += (ROOT / folder).rglob("*.md")
    pages = {path.relative_to(ROOT).as_posix(): path for path in sorted(found)}
    chinese = {place: path for place, path in pages.items() if place.endswith(CHINESE)}
    pages = {place: path for place, path in pages.items() if place not in chinese}
    if language == "zh":
        pages |= {place.removesuffix(CHINESE) + ".md": path for place, path in chinese.items()}
    return pages


def linked(pages: dict[str, str]) -> set[str]:
    """Return the places of files that pages link to, and that are no pages themselves."""
    found = set()
    for place, text in pages.items():
        for target in _LINK.findall(text):
            path = (ROOT / place).parent.joinpath(target).resolve()
            if path.is_file() and path.suffix != ".md" and path.is_relative_to(ROOT):
                found.add(path.relative_to(ROOT).as_posix())
    return found


# -- Pages of what `explain` says ------------------------------------------------------------------


def explanations(kind: str) -> list[Explanation]:
    """Return all explanations of a kind, each once."""
    return list({id(each): each for _, each in everything() if each.kind == kind}.values())


def refusal_pages(language: str) -> Iterator[tuple[str, str]]:
    """Yield place and text of a page for the refusals of each system."""
    titles = {page["page"]: page[language] for tab in NAV["tab"] for page in tab["pages"]}
    for system in _SYSTEMS:
        place = f"docs/refusals/{system.rpartition(' ')[2]}.md"
        parts = [f"# {'拒绝代码：' if language == 'zh' else 'Refusals: '}{titles[place]}\n"]
        for each in explanations("refusal"):
            whose, _, number = each.of.partition(", number ")
            if whose == system:
                parts.append(_refusal_text(each, number, language))
        yield place, "\n".join(parts)


def _refusal_text(each: Explanation, number: str, language: str) -> str:
    english = f"{each.text} *{each.remedy}*" if each.remedy else each.text
    texts = [english, each.chinese][:: -1 if language == "zh" else 1]
    rules = [f"- {name}: {text}" for name, text in each.rules.items()]
    source = f"[{each.source}](../../{each.source}), {number}."
    lines = [f"## {each.name}", *filter(None, texts), "\n".join(rules), source]
    return "\n\n".join(filter(None, lines)) + "\n"


def settings_pages() -> Iterator[tuple[str, str]]:
    """Yield the page of all settings of all processes."""
    by_process: dict[str, list[Explanation]] = {}
    for each in explanations("setting"):
        by_process.setdefault(each.name.partition(".")[0], []).append(each)
    lines = ["# Settings\n", "As `cea-exchange explain KEY` says them.\n"]
    for process, settings in by_process.items():
        lines += [f"## {process}\n", f"In {settings[0].of}.\n", "| key | is | left out |"]
        lines.append("|---|---|---|")
        for each in settings:
            default = each.source.partition(", ")[2].removesuffix(" if left out") or "needed"
            lines.append(f"| `{each.name.partition('.')[2]}` | {_cell(each.text)} | {default} |")
        lines.append("")
    yield "docs/settings.md", "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("<", "&lt;")


# -- Notebooks -------------------------------------------------------------------------------------


def notebook_pages() -> Iterator[tuple[str, str]]:
    """Yield place and text of each notebook as a page."""
    for path in sorted((ROOT / "examples" / "notebooks").glob("*.ipynb")):
        parts = [f"*A notebook: `examples/notebooks/{path.name}`.*"]
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            text = "".join(cell["source"])
            parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
        # The heading of its first cell is the page's.
        parts[0], parts[1] = parts[1], parts[0]
        yield path.relative_to(ROOT).with_suffix(".md").as_posix(), "\n\n".join(parts) + "\n"
