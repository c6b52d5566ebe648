"""What the pages tell those at a running exchange to type, typed at one: each is done."""

import io
from contextlib import closing, redirect_stdout

import apsw
import pytest

from cea_exchange.client import Client
from cea_exchange.supervision.stepping.day import DayReplay, VenueRecord
from support.pages.blocks import Line, blocks, lines
from support.pages.exchange import page_exchange
from support.pages.places import AT_AN_EXCHANGE, AT_REST, why_not_typed

pytestmark = pytest.mark.e2e

READ_ONLY = apsw.SQLITE_OPEN_READONLY
ON_POSTGRESQL = ("contrib/failover.md",)
"""Roles and a database are made there, of two servers: tests/failover."""


def lines_typed(page: str) -> list[Line]:
    return [line for line in lines() if line.page == page and why_not_typed(line) is None]


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """How each command ended, by its place: two daemons for all pages, in their order."""
    wanted = [line for page in AT_AN_EXCHANGE for line in lines_typed(page)]
    at_rest = [line for line in wanted if AT_REST.match(line.typed)]
    found = {}
    with page_exchange(tmp_path_factory.mktemp("exchange") / "data") as (exchange, typist):
        found["python"] = python_run(exchange, typist)
        found["sql"] = sql_run(exchange.data)
        for line in wanted:
            if line not in at_rest:
                found[line.place] = typist.typed(line.typed)
        for daemon in ("venue", "registry"):
            exchange.stop(daemon)
        for line in at_rest:
            found[line.place] = typist.typed(line.typed)
    return found


@pytest.mark.parametrize("page", AT_AN_EXCHANGE)
def test_what_a_page_tells_to_type_is_done(page, said):
    typed = lines_typed(page)
    refused = [
        f"{line.place}: {line.typed}\n    {ended.status}: {ended.text.strip()}"
        for line in typed
        if (ended := said[line.place]).status != 0
    ]
    assert typed and not refused, "\n".join(refused)


def test_what_adjusts_the_market_is_entered(said):
    """The page's own prices and tonnes, under the packaged profile."""
    page = "protocol/adjustment.md"
    approved = [
        said[line.place].text for line in lines_typed(page) if "proposal approve" in line.typed
    ]
    assert len(approved) == 4 and "nothing was entered" not in "".join(approved), approved


# -- Python, and questions to the database --------------------------------------------------------


class PatientReader(Client):
    """Ends where a page's loop goes on for as long as reports come."""

    def reports(self):
        return super().reports(timeout_s=1)


def python_run(exchange, typist):
    """Run the other Python of pages about a running exchange; return what it has named."""
    named = {}
    day = DayReplay(VenueRecord(exchange.data), 20250716)
    for page in ("protocol/order_entry.md", "protocol/supervision.md"):
        names = {
            "Client": PatientReader,
            "endpoint": exchange.endpoint("venue", "gateway"),
            "keys": exchange.keys("P001"), "reader_keys": exchange.keys("reader"),
            "venue_key": exchange.keys("venue").public,
        }  # fmt: skip
        for block in blocks("python"):
            if block.page == page:
                text = block.text.replace("4711", str(day.count)).replace("DIR", str(exchange.data))
                with redirect_stdout(io.StringIO()) as printed:
                    exec(compile(text, block.place, "exec"), names)
                names["printed"] = names.get("printed", "") + printed.getvalue()
        named[page] = names
    return named


def sql_run(data):
    """Ask the ledger what the pages ask it."""
    file = data / "registry/registry.sqlite"
    with closing(apsw.Connection(str(file), flags=READ_ONLY)) as ledger:
        return {
            block.page: list(ledger.execute(block.text))
            for block in blocks("sql")
            if block.page not in ON_POSTGRESQL
        }


def test_the_clients_of_the_pages_trade_and_read(said):
    names = said["python"]["protocol/order_entry.md"]
    assert "price=9750" in names["printed"] and names["entered"]
    assert names["report"].report_seq > 0


def test_a_day_is_replayed_as_the_page_says(said):
    moment = said["python"]["protocol/supervision.md"]["moment"]
    assert moment.books and moment.holdings


def test_the_ledger_answers_the_questions_of_the_pages(said):
    answers = said["sql"]
    assert answers.keys() == {"protocol/bank.md", "protocol/distribution.md", "protocol/ledger.md"}
    (product,) = answers["protocol/distribution.md"]
    assert product[0] == "CEA24" and product[-1] == 0
    assert all(type(rows[0][0]) in (int, str) for rows in answers.values())
    assert len(blocks("sql")) == 3 + len(ON_POSTGRESQL)
