"""Script in every field of every form of every page, by those who may send it: it stays text."""

import re
from contextlib import contextmanager
from html.parser import HTMLParser
from urllib.parse import urlsplit

import httpx
import pytest

from support.screens.institutions import YEAR, institutions_open
from support.screens.served import Served

pytestmark = [pytest.mark.e2e, pytest.mark.attack, pytest.mark.nightly]

SCRIPT = '"><script>alert(1)</script>'
RAW, ESCAPED = "<script>alert", "&lt;script&gt;alert"
SOUND = {"yuan": "10.00", "numeric": "10", "decimal": "10.00", "date": "2025-11-18"}
"""What a field of a kind takes, so that those beside it come to the daemon."""
PAGES_MAX = 40
SENDERS = ("li", "wang", "sun", "zhou", "an", "bob")


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


def filled(fields, *, wholly):
    """Fill a form: script in all that is typed, or only where words are expected."""
    values = {}
    for name, (kind, value) in fields.items():
        if kind in ("hidden", "checkbox"):
            values[name] = value
        elif kind == "select":
            values[name] = SCRIPT if wholly else value
        else:
            values[name] = SCRIPT if wholly else SOUND.get(kind, SCRIPT)
    return values


@pytest.fixture(scope="module")
def nation(tmp_path_factory):
    with institutions_open(tmp_path_factory.mktemp("nation")) as institutions:
        institutions.filed()
        institutions.verified()
        institutions.given()
        yield institutions


@contextmanager
def entered(nation, who):
    """Let a browser in at somebody's console."""
    with Served.console(nation.data, who) as served:
        options = {"base_url": served.address, "headers": {"origin": served.address}}
        with httpx.Client(**options, timeout=60, follow_redirects=True) as http:
            assert http.get(served.entrance).status_code == 200
            yield http


def pages_of(http):
    """Return all pages that can be reached, one of each kind, by their address."""
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
    return found


def test_script_in_every_field_stays_text(nation):
    sent, shown = set(), 0
    for who in SENDERS:
        with entered(nation, who) as http:
            for path in pages_of(http):
                for wholly in (True, False):
                    # Forms are carried out once: each try takes them anew.
                    for action, fields in Forms(http.get(path).text).forms:
                        answer = http.post(action, data=filled(fields, wholly=wholly))
                        assert answer.status_code < 500, (action, answer.text)
                        assert RAW not in answer.text, action
                        shown += ESCAPED in answer.text
                        sent.add(re.sub(r"[0-9]+", "N", action))
    assert len(sent) > 25 and shown > 25, (sent, shown)
    for who in SENDERS:
        with entered(nation, who) as http:
            texts = pages_of(http)
            assert len(texts) > 5
            assert {path for path, text in texts.items() if RAW in text} == set()
