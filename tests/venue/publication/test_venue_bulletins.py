"""A venue's bulletins: from its event store, and as files that a restart completes."""

import json
import time

import numpy as np
import pytest
from msgspec.structs import replace

from cea_exchange import Market
from cea_exchange.domain.documents.bulletin import BulletinBuilder
from cea_exchange.domain.documents.bulletin_forms import bulletin_json, bulletin_text
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import EventKind
from cea_exchange.matching.bulletins import MarketBulletins
from cea_exchange.protocol.framing import TOPIC_BULLETIN
from cea_exchange.venue.durability.event_days import EventDay, closed_days, day_of
from cea_exchange.venue.maintenance.backup import backup, restore
from cea_exchange.venue.publication.bulletins import (
    bulletin_write,
    bulletins_of,
    opening_of,
    written_dates,
)
from support.market.market_records import entered
from support.patience import patience
from support.venue.venue_process import command
from support.venue.venue_world import PRODUCT, enter, world_open


class ArrayRows:
    """An event store in memory, of which the rows that were read are counted."""

    def __init__(self, events, base=0):
        self.events = events
        self.base = base
        self.count = base + len(events)
        self.rows_read = 0

    def read(self, first, count):
        rows = self.events[first - 1 - self.base :][:count]
        self.rows_read += len(rows)
        return rows.tobytes()


def market_rows(days, deposits=3):
    """Return the core's events of days with one trade each, with transfers in between."""
    market = Market("cea", {"CEA23": "97.49", "CEA24": "90.00"})
    core = market.core
    for account in ("buyer", "seller"):
        market.declare_account(account)
    rows = []
    for number, date in enumerate(days):
        for _ in range(deposits):
            rows.append(core.deposit(0, 0xFFFF, 10**9))
            rows.append(core.deposit(1, 0, 10**4))
        rows += [core.day_open(date), core.phase_set(2)]
        order = {"price": "98.00", "tonnes": 10 + number, "order_id": "1"}
        for account, side in (("seller", "sell"), ("buyer", "buy")):
            event = {"account": account, "side": side, "product": "CEA23", **order}
            rows.append(entered(market, event))
        rows.append(core.day_close())
    return np.concatenate(rows)


DAYS = (20241230, 20241231, 20250102, 20250103)
PRODUCTS = [("CEA23", 9749), ("CEA24", 9000)]


def builder_of_products():
    builder = BulletinBuilder(load_profile("cea"))
    for product, price in PRODUCTS:
        builder.declare(product, price)
    return builder


def test_the_days_of_a_store_are_found_without_reading_them():
    events = market_rows(DAYS, deposits=700)
    rows = ArrayRows(events)
    found = list(closed_days(rows))
    closes = np.flatnonzero(events["kind"] == EventKind.COMPOSITE_CLOSED) + 1
    firsts = [1, *(closes[:-1] + 1)]
    expected = zip(DAYS, firsts, closes.tolist(), strict=True)
    assert found == [EventDay(*day, is_closed=True) for day in expected]
    assert [day_of(rows, date) for date in DAYS] == found
    assert day_of(rows, DAYS[0] - 1) is day_of(rows, DAYS[-1] + 1) is None
    later = ArrayRows(events[closes[0] :], base=int(closes[0]))
    assert list(closed_days(later)) == found[1:]


@pytest.mark.parametrize("cut", [0, 1, 2, 5])
def test_a_day_that_is_not_closed_is_none(cut):
    events = market_rows(DAYS[:2])
    end = int(np.flatnonzero(events["kind"] == EventKind.COMPOSITE_CLOSED)[-1])
    days = [day.trading_date for day in closed_days(ArrayRows(events[: end - cut]))]
    assert days == [DAYS[0]]
    last = day_of(ArrayRows(events[: end - cut]), DAYS[1])
    assert (last.last, last.is_closed) == (end - cut, False)
    assert list(closed_days(ArrayRows(events[:0]))) == []


def test_a_day_without_a_composite_is_closed_once_something_follows():
    events = market_rows(DAYS[:1])
    without = events[: np.flatnonzero(events["kind"] == EventKind.COMPOSITE_CLOSED)[-1]]
    assert list(closed_days(ArrayRows(without))) == []
    checkpoint = np.zeros(1, events.dtype)
    checkpoint["kind"] = EventKind.CHECKPOINT
    rows = ArrayRows(np.concatenate((without, checkpoint)))
    (day,) = closed_days(rows)
    assert (day.last, day.is_closed) == (len(without), True)
    (bulletin,) = bulletins_of(rows, PRODUCTS, load_profile("cea"))
    assert bulletin.composite.close == (9749 + 9000 + 1) // 2


def test_days_that_are_only_summed_up_give_the_same_sums():
    rows = ArrayRows(market_rows(DAYS))
    profile = load_profile("cea")
    whole = list(bulletins_of(rows, PRODUCTS, profile))
    assert whole == builder_of_products().take_records(rows.events)
    assert list(bulletins_of(rows, PRODUCTS, profile, since=DAYS[1])) == whole[2:]
    assert whole[-1].composite.total.listed.volume == 10 + 11 + 12 + 13
    assert whole[-1].composite.year.listed.volume == 12 + 13


def test_opening_figures_must_be_of_a_day_before():
    rows = ArrayRows(market_rows(DAYS))
    after = builder_of_products().take_records(rows.events)[0]
    with pytest.raises(ValueError, match="a day before 20241230, with which the events begin"):
        list(bulletins_of(rows, PRODUCTS, load_profile("cea"), after=after))


# -- A venue that runs ----------------------------------------------------------------------------


def trade_and_close(world, day="2024-12-31", number=1):
    alice, bob = world.logged_on("alice"), world.logged_on("bob")
    date = int(day.replace("-", ""))
    alice.command(enter(number, "sell", 9800, 30, trading_date=date))
    alice.reports_until(lambda rows: (rows["kind"] == EventKind.ORDER_RESTED).any())
    bob.command(enter(number, "buy", 9800, 20, trading_date=date))
    bob.reports_until(lambda rows: (rows["kind"] == EventKind.TRADE).any())
    world.admin(op="clock", at=f"{day}T15:00:00+08:00")


def written(world, count=1):
    folder = world.data / "bulletins"
    world.until(lambda: len(written_dates(folder)) == count, timeout_s=30.0)
    return folder


@pytest.mark.e2e
def test_a_venue_writes_and_publishes_its_bulletin_after_the_close(tmp_path):
    """CEA-INF-01."""
    with world_open(tmp_path) as world:
        published = []
        world.listed()
        world.venue.venue._bulletins._publish = published.append
        trade_and_close(world)
        folder = written(world)
        world.until(lambda: published)
        (bulletin,) = published
        assert (folder / "2024-12-31.json").read_bytes() == bulletin_json(bulletin)
        assert (folder / "2024-12-31.txt").read_text() == bulletin_text(bulletin)
        assert sorted(path.name for path in folder.iterdir()) == [
            "2024-12-31.csv", "2024-12-31.json", "2024-12-31.txt",
        ]  # fmt: skip
        quote = bulletin.quote(PRODUCT)
        assert (quote.open, quote.close, quote.last_close) == (9800, 9800, 9749)
        assert quote.day.listed.volume == 20
        ran = command("bulletin", str(tmp_path), "--format", "json")
        assert (ran.returncode, ran.stderr) == (0, "")
        assert ran.stdout.encode() == bulletin_json(bulletin)


@pytest.mark.e2e
def test_the_public_stream_has_the_bulletin(tmp_path):
    from cea_exchange.client.market_data import MarketDataClient

    with world_open(tmp_path) as world:
        world.listed()
        with MarketDataClient(
            world.venue.endpoints["market_data"],
            world.keys["stranger"],
            world.keys["venue"].public,
            topics=("bulletin", "hb"),
        ) as client:
            end = time.monotonic() + 30 * patience()
            while not client.poll(1.0):
                assert time.monotonic() < end
            world.admin(op="close_day")
            shown = []
            while not shown:
                assert time.monotonic() < end + 30 * patience()
                shown = [v for topic, v in client.poll(1.0) if topic == TOPIC_BULLETIN.decode()]
        document = json.loads((tmp_path / "bulletins" / "2024-12-31.json").read_bytes())
        assert {key: shown[0][key] for key in document} == document


@pytest.mark.e2e
def test_a_restart_writes_what_is_missing_and_nothing_twice(tmp_path):
    with world_open(tmp_path, wait_for_confirmation=False) as world:
        world.listed()
        trade_and_close(world)
        folder = written(world)
        world.admin(op="clock", at="2025-01-02T09:30:00+08:00")
        trade_and_close(world, "2025-01-02")
        written(world, 2)
        world.stop()
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        kept = (folder / "2024-12-31.json").stat().st_mtime_ns
        for suffix in ("txt", "csv", "json"):
            (folder / f"2025-01-02.{suffix}").unlink()
        (folder / "2025-01-02.csv.new").write_text("half")
        world.start()
        written(world, 2)
        world.stop()
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        assert (folder / "2024-12-31.json").stat().st_mtime_ns == kept
        document = json.loads(before["2025-01-02.json"])
        listed = document["composite"]["methods"][0]
        assert (listed["yearVolume"], listed["totalVolume"]) == (20, 40)
        assert document["composite"]["lastClosPric"] == "98.00"


@pytest.mark.e2e
def test_a_folder_that_can_not_be_written_does_not_end_the_venue(tmp_path, monkeypatch):
    monkeypatch.setattr("cea_exchange.venue.publication.bulletins.RETRY_S", 0.2)
    with world_open(tmp_path) as world:
        (tmp_path / "bulletins").write_text("in the way")
        world.listed()
        trade_and_close(world)
        assert world.admin(op="status")["day_is_open"] is False
        (tmp_path / "bulletins").unlink()
        written(world)


@pytest.mark.e2e
def test_opening_figures_come_from_the_settings(tmp_path):
    opening = tmp_path / "opening.json"
    opening.write_text(
        '{"quotPoin": "2024-12-30", "market": "cea", "composite": {"subjCode": "COMCEA",'
        ' "closPric": "97.00", "methods": [{"methodCode": 20, "yearVolume": 5, "totalVolume": 7}]}}'
    )
    with world_open(tmp_path / "data", bulletin_opening=str(opening)) as world:
        world.listed()
        trade_and_close(world)
        document = json.loads((written(world) / "2024-12-31.json").read_bytes())
    composite = document["composite"]
    assert (composite["yearVolume"], composite["totalVolume"]) == (25, 27)
    assert composite["lastClosPric"] == "97.00"
    ran = command("bulletin", str(tmp_path / "data"), "--opening", str(opening), "--date", "all",
                  "--format", "json")  # fmt: skip
    assert json.loads(ran.stdout) == document


@pytest.mark.e2e
def test_a_backup_has_the_bulletins(tmp_path):
    data, opening = tmp_path / "data", tmp_path / "opening.json"
    opening.write_text(
        '{"quotPoin": "2024-12-30", "market": "cea",'
        ' "composite": {"subjCode": "COMCEA", "closPric": "97.00"}}'
    )
    with world_open(data, bulletin_opening=str(opening)) as world:
        world.listed()
        trade_and_close(world)
        folder = written(world)
        (folder / "2025-01-02.json.new").write_text("half")
        backup(data, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "again")
    copied = tmp_path / "again" / "bulletins"
    assert sorted(path.name for path in copied.iterdir()) == [
        "2024-12-31.csv", "2024-12-31.json", "2024-12-31.txt", "opening.json",
    ]  # fmt: skip
    for path in copied.iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes()


@pytest.mark.e2e
def test_another_life_goes_on_from_the_newest_bulletin_before_it(tmp_path):
    """Its events begin later; what was traded before stands in the folder, or in what is given."""
    events = market_rows(DAYS)
    whole = builder_of_products().take_records(events)
    folder = tmp_path / "bulletins"
    for bulletin in (*whole[:2], whole[3]):
        bulletin_write(folder, bulletin)
    (folder / "2024-99-99.json").write_text("{}")
    second = list(closed_days(ArrayRows(events)))[1].last
    later = ArrayRows(events[second:], base=second)
    after = opening_of(folder, later, None)
    assert after == whole[1]
    products = [("CEA23", whole[1].products[0].close), ("CEA24", 9000)]
    assert list(bulletins_of(later, products, load_profile("cea"), after=after)) == whole[2:]
    # Where the events begin with the market, the folder is of that life itself.
    given = tmp_path / "opening.json"
    given.write_bytes(bulletin_json(whole[0]))
    assert opening_of(folder, ArrayRows(events), given) == whole[0]
    assert opening_of(folder, ArrayRows(events), None) is None


@pytest.mark.e2e
def test_another_life_knows_what_was_traded_of_a_product_that_is_listed_again(tmp_path):
    """CEA-INF-01: its sums stand in an older bulletin; those of the year end with the year."""
    market = Market("cea", reference_prices={"CEA23": "60.00", "CEA24": "80.00"})
    events = market.deposit("a", product="CEA23", tonnes=10) + market.deposit("b", cash="600.00")
    events += market.open_day("2025-12-30") + market.phase("listed")
    for account, side in (("a", "sell"), ("b", "buy")):
        events += market.enter(account, "CEA23", side, price="60.00", tonnes=10, order_id="1")
    events += market.close_day() + market.delist_product("CEA23")
    events += market.open_day("2025-12-31") + market.close_day()
    builder = BulletinBuilder(load_profile("cea"))
    builder.declare("CEA23", 6000)
    builder.declare("CEA24", 8000)
    made = builder.take(events)
    folder = tmp_path / "bulletins"
    rows = market_rows((20251229, 20260105))
    first = next(iter(closed_days(ArrayRows(rows)))).last
    later = ArrayRows(rows[first:], base=first)
    newest = replace(made[1], trading_date=20260102)
    for bulletin, of_year in ((made[0], 10), (made[1], 10), (newest, 0)):
        bulletin_write(folder, bulletin)
        quotes = {each.code: each for each in opening_of(folder, later, None).products}
        assert quotes["CEA23"].total.listed.volume == 10
        assert quotes["CEA23"].year.listed.volume == of_year


# -- The commands ---------------------------------------------------------------------------------


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--date", "2024-12-30"), "expected a closed day, there is no 2024-12-30"),
        (("--date", "20241231"), "--date"),
        (("--format", "parquet"), "expected --out FILE"),
        (("--opening", "nowhere.json"), "nowhere.json: expected a bulletin"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(tmp_path, arguments, words):
    with world_open(tmp_path) as world:
        world.listed()
        world.admin(op="close_day")
    ran = command("bulletin", str(tmp_path), *arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert words in ran.stderr and ran.stderr.count("\n") == 1
    nowhere = command("bulletin", str(tmp_path / "nowhere"))
    assert (nowhere.returncode, nowhere.stdout) == (2, "")


def test_a_script_gives_the_bulletins_of_its_days(tmp_path):
    script = tmp_path / "script.jsonl"
    lines = [
        {"cmd": "open_day", "date": "2025-07-16"},
        {"cmd": "product", "product": "CEA23", "reference_price": "97.49"},
        {"cmd": "close_day"},
        {"cmd": "open_day", "date": "2025-07-17"},
        {"cmd": "close_day"},
    ]
    script.write_text("\n".join(map(json.dumps, lines)))
    ran = command("run", str(script), "--bulletins", str(tmp_path / "days"))
    assert ran.returncode == 0, ran.stderr
    assert written_dates(tmp_path / "days") == [20250716, 20250717]
    document = json.loads((tmp_path / "days" / "2025-07-17.json").read_bytes())
    assert document["composite"]["closPric"] == "97.49"


def test_an_embedded_market_notices_products_that_are_declared_later():
    market = Market("cea", {"CEA23": "97.49"})
    bulletins = MarketBulletins(market)
    assert bulletins.take(market.open_day("2025-07-16")) == []
    market.declare_product("CEA24", "90.00")
    (bulletin,) = bulletins.take(market.close_day())
    assert [quote.last_close for quote in bulletin.products] == [9749, 9000]
    (next_day,) = bulletins.take(market.open_day("2025-07-17") + market.close_day())
    assert next_day.composite.change == 0
