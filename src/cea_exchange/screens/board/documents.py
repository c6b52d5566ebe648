"""What is public as files: bulletins, lists of the authorities, notices, the rules.

Files are read when somebody asks; a name that somebody asks for is looked up among those there are,
so no name leads out of a folder.
"""

import csv
import io
import json
import re
from collections.abc import Sequence
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from cea_exchange.domain.profile import Profile
from cea_exchange.screens.live.market_feed import MarketFeed

BULLETINS = "bulletins"
BULLETIN_FORMS = (".json", ".csv", ".txt")
LIST_BYTES_MAX = 32 << 20
LIST_ROWS_SHOWN = 500
NOTICES = "notices.json"
_RULE = re.compile(r"^\| ([A-Z]+-[A-Z]+-[0-9]{2}) \| (.*) \| (.*) \| (.*) \| (.*) \|$")
_LIST = re.compile(r"(emissions|completion|services|scores|penalties|list|cases)[-0-9]*\.csv")


class Rule(NamedTuple):
    """A rule of the market, as its page has it."""

    rule_id: str
    text: str
    term: str
    source: str
    confidence: str


class RuleGroup(NamedTuple):
    """The rules under one heading."""

    title: str
    rules: list[Rule]


class PublicList(NamedTuple):
    """A list of the authorities: `kind` names its text, `list.KIND`."""

    name: str
    kind: str
    year: str


class Documents:
    """Everything public that is no market data.

    Parameters
    ----------
    folders
        In which `bulletins` of a venue may be.
    public
        The folder that the authorities publish into, if there is one.
    profile
        The market's rules in force.
    feed
        Has the bulletins that came in the stream.
    """

    def __init__(
        self, folders: Sequence[Path], public: Path | None, profile: Profile, feed: MarketFeed
    ) -> None:
        self.profile = profile
        self._folders = list(folders)
        self._public = public
        self._feed = feed
        self._read: dict[str, dict[str, Any]] = {}

    # -- Bulletins --------------------------------------------------------------------------------

    def bulletin_files(self) -> dict[str, Path]:
        """Return the bulletins' files by name."""
        found: dict[str, Path] = {}
        for folder in self._folders:
            for path in (folder / BULLETINS).glob("[0-9]*-[0-9]*-[0-9]*.*"):
                if path.suffix in BULLETIN_FORMS:
                    found.setdefault(path.name, path)
        return found

    def bulletins(self) -> list[dict[str, Any]]:
        """Return all bulletins, oldest first, as their JSON says them."""
        for name, path in self.bulletin_files().items():
            day = path.stem
            if name.endswith(".json") and day not in self._read:
                self._read[day] = json.loads(path.read_text(encoding="utf-8"))
        return [each for _, each in sorted({**self._feed.bulletins, **self._read}.items())]

    def days(self, code: str) -> list[tuple[date, dict[str, Any]]]:
        """Return the days of a product, or of the composite, oldest first."""
        found = []
        for bulletin in self.bulletins():
            subjects = [bulletin["composite"], *bulletin["products"]]
            for subject in subjects:
                if subject["subjCode"] == code:
                    found.append((date.fromisoformat(bulletin["quotPoin"]), subject))
        return found

    # -- Lists and notices ------------------------------------------------------------------------

    def lists(self) -> list[PublicList]:
        """Return the lists that are published, by name."""
        if self._public is None or not self._public.is_dir():
            return []
        found = []
        for path in sorted(self._public.iterdir()):
            match = _LIST.fullmatch(path.name)
            if match is not None and path.is_file():
                year = re.search(r"[0-9]{4}", path.name)
                found.append(PublicList(path.name, match[1], year[0] if year else ""))
        return found

    def list_file(self, name: str) -> Path | None:
        """Return a list's file; None where there is no such list."""
        if self._public is None or name not in {each.name for each in self.lists()}:
            return None
        path = self._public / name
        return path if path.stat().st_size <= LIST_BYTES_MAX else None

    def list_rows(self, path: Path) -> tuple[list[str], list[list[str]]]:
        """Return a list's columns and its first rows."""
        reader = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig", errors="replace")))
        columns = next(reader, [])
        rows = [row for _, row in zip(range(LIST_ROWS_SHOWN), reader, strict=False)]
        return columns, rows

    def notices(self) -> list[dict[str, Any]]:
        """Return the registry's public notices, newest first, as it printed them."""
        path = None if self._public is None else self._public / NOTICES
        if path is None or not path.is_file():
            return []
        found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["notices"]
        return list(reversed(found))

    # -- Rules ------------------------------------------------------------------------------------

    def rules(self) -> list[RuleGroup]:
        """Return all rules, by their headings."""
        groups: list[RuleGroup] = []
        for line in rules_page().splitlines():
            if line.startswith("## "):
                groups.append(RuleGroup(line[3:].strip().replace("`", ""), []))
            elif groups and (match := _RULE.match(line)):
                groups[-1].rules.append(Rule(*(part.strip() for part in match.groups())))
        return [group for group in groups if group.rules]


def rules_page() -> str:
    """Return the page of rules: of the installed package, or of the sources beside it."""
    packed = resources.files("cea_exchange.screens").joinpath("rules.md")
    if packed.is_file():
        return packed.read_text(encoding="utf-8")
    return Path(__file__).parents[4].joinpath("protocol", "rules.md").read_text(encoding="utf-8")
