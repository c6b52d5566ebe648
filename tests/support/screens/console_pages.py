"""The pages of a console, as whoever follows its links meets them: texts, forms, links."""

import re
from contextlib import contextmanager
from html.parser import HTMLParser
from urllib.parse import urlsplit

import httpx2

from support.registry.fake_venue import wait_until
from support.screens.institutions import YEAR
from support.screens.served import Served

PAGES_MAX = 40
SENDERS = ("li", "wang", "sun", "zhou", "an", "bob")
"""Persons of each role, by their keys."""


class Forms(HTMLParser):
    """The forms of a page, and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, tuple[str, str]]]] = []
        self.links: list[str] = []
        self._select = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and given.get("href", "").startswith("/"):
            self.links.append(given["href"].partition("#")[0])
        elif tag == "form" and given.get("method") == "post":
            self.forms.append((given["action"], {}))
        elif not self.forms:
            return
        elif tag in ("input", "textarea", "button") and given.get("name"):
            kind = given.get("type", "text" if tag != "button" else "hidden")
            kind = given.get("inputmode", kind)
            self.forms[-1][1].setdefault(given["name"], (kind, given.get("value", "")))
        elif tag == "select":
            self._select = given["name"]
            self.forms[-1][1][self._select] = ("select", "")
        elif tag == "option" and self._select:
            chosen = self.forms[-1][1][self._select][1]
            self.forms[-1][1][self._select] = ("select", chosen or given["value"])

    def handle_endtag(self, tag):
        if tag == "select":
            self._select = ""


@contextmanager
def entered(nation, who):
    """Let a browser in at somebody's console, and wait until it knows whose it is."""
    with Served.console(nation.data, who) as served:
        options = {"base_url": served.address, "headers": {"origin": served.address}}
        with httpx2.Client(**options, timeout=60, follow_redirects=True) as http:
            assert http.get(served.entrance).status_code == 200
            wait_until(lambda: '<span class="who"></span>' not in http.get("/").text)
            yield http


def pages_of(http):
    """Return the texts of all pages within reach, one of each kind, and the others' status."""
    refused: dict[str, int] = {}
    found, wanted, kinds = {}, ["/", f"/allocations?year={YEAR}", f"/reviews?year={YEAR}"], set()
    while wanted and len(found) < PAGES_MAX:
        path = wanted.pop(0)
        kind = re.sub(r"[0-9]+", "N", urlsplit(path).path)
        if kind in kinds:
            continue
        kinds.add(kind)
        answer = http.get(path)
        if answer.status_code == 200 and "text/html" in answer.headers["content-type"]:
            found[path] = answer.text
            wanted += Forms(answer.text).links
        elif answer.status_code != 200:
            refused[path] = answer.status_code
    return found, refused
