"""A folder of everything that is public, with a page that leads to it: for any web server."""

from html import escape
from pathlib import Path

from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.platform.disclosure.public_files import PublicFiles
from cea_exchange.platform.entity_list.listing import Listing

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<h1>{title}</h1>
<p>{marks}</p>
<ul>
{lines}
</ul>
</html>
"""
FORM = ".csv"
MARKED = (
    "What is marked is no settled law: draft, as a draft for consultation has it; second_hand, as"
    " another than the maker of the rule says; recalled, from memory; decided, by this project."
)


class PublicPages:
    """Writes what is public of a year."""

    def __init__(self, public_files: PublicFiles, listing: Listing) -> None:
        self._public_files = public_files
        self._listing = listing

    def files(self, year: int) -> dict[str, bytes]:
        """Return what is public of a year, by the file's name; lists as they were published.

        Notes
        -----
        Rules: CEA-ENT-02, CEA-ENT-16, CEA-ENT-17, CEA-LAW-23.
        """
        files = {
            f"emissions-{year}{FORM}": self._public_files.emissions(year, FORM),
            f"changes-{year}{FORM}": self._public_files.changes(year, FORM),
            f"completion-{year}{FORM}": self._public_files.completion(year, FORM),
            f"services-{year}{FORM}": self._public_files.services(year, FORM),
            f"scores-{year}{FORM}": self._public_files.scores(year, FORM),
            f"penalties{FORM}": self._public_files.penalties(FORM),
        }
        for province in sorted(PROVINCES):
            published = self._listing.published(year, province)
            if published is not None:
                files[f"list-{year}-{province}{FORM}"] = published
        return files

    def write(self, year: int, folder: Path) -> list[Path]:
        """Write the files of a year and the page that leads to them; return what was written."""
        files = self.files(year)
        lines = "\n".join(f'<li><a href="{escape(name)}">{escape(name)}</a>' for name in files)
        title = f"Carbon emissions {year}: what is public"
        page = PAGE.format(title=title, marks=MARKED, lines=lines).encode()
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for name, content in {**files, f"index-{year}.html": page}.items():
            (folder / name).write_bytes(content)
            written.append(folder / name)
        return written
