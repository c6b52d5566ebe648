"""An exchange under the profile `ccer` and its CCER registry as processes on one folder."""

import json
import signal
import subprocess
import sys
import time
from datetime import timedelta

from cea_exchange.ccer.audit import checks
from cea_exchange.ccer.store import CcerStore
from cea_exchange.client import Client
from cea_exchange.domain.calendar import TradingCalendar, date_of_number
from cea_exchange.institution.maintenance.store_check import store_check
from cea_exchange.ledger.double_entry import Compartment, Holding
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.venue.operations.admin_client import ActRefused, AdminError, admin_ask
from support.ccer.ccer_process import CcerProcess
from support.ccer.programme import DayClock, registry_open
from support.patience import patience
from support.registry.fake_venue import wait_until

P = "WIND-1-2022"
PRICE_FEN = 8_000
CASH_FEN = 10**12
TRADERS = ("SEAWIND", "A", "B")
CALENDAR = TradingCalendar.load("cn_carbon")
WAIT_S = 60
VENUE_SETTINGS = """profile = "ccer"
registry_endpoints = "{data}/ccer/endpoints.json"
registry_public_key = "{registry_key}"
relay = false
fronts = 0
throttle_per_second = 0
throttle_cancels_per_second = 0
throttle_account_per_second = 0
throttle_account_cancels_per_second = 0

[clock]
kind = "manual"
start = "{start}"

[[operators]]
name = "an"
key = "keys/op_an.public"

[[operators]]
name = "bo"
key = "keys/op_bo.public"
"""


class VenueDaemon:
    """`cea-exchange venue serve` on the folder."""

    def __init__(self, data):
        self.data, self.process = data, None

    def start(self):
        path = self.data / "venue" / "endpoints.json"
        path.unlink(missing_ok=True)
        command = [sys.executable, "-m", "cea_exchange.cli.main", "venue", "serve"]
        command += ["--config", str(self.data / "venue.toml"), "--data", str(self.data)]
        with (self.data / "venue.log").open("a") as log:
            self.process = subprocess.Popen(command, stderr=log)
        wait_until(lambda: path.exists() or self.process.poll() is not None, WAIT_S)
        assert path.exists(), (self.data / "venue.log").read_text()[-2_000:]
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(WAIT_S) == 0, (self.data / "venue.log").read_text()[-2_000:]


class CcerExchange:
    """Both daemons on a folder; SEAWIND has CCERs at the exchange, all have cash there.

    Parameters
    ----------
    tonnes
        That SEAWIND sends to the exchange, of twice as many.
    """

    def __init__(self, data, database=None, tonnes=50_000):
        self.data, self._database, self._payments = data, database, 0
        self.ccer = CcerProcess(data, database, has_venue=True).prepare({"2022": 2 * tonnes})
        for name in ("venue", "op_an", "op_bo", *TRADERS):
            CurveKeys.new().save(data / "keys", name)
        self._endow(tonnes)
        self.venue = VenueDaemon(data)
        self.day = self._trading_day_after(date_of_number(self.ccer.day))
        (data / "venue.toml").write_text(
            VENUE_SETTINGS.format(
                data=data,
                registry_key=CurveKeys.load(data / "keys", "ccer").public,
                start=self._at("08:00", self.day - timedelta(days=1)),
            )
        )
        self._clients = {}

    def _endow(self, tonnes):
        clock = DayClock(self.ccer.day)
        with registry_open(self.data, clock, self._database) as ccer, ccer.transaction():
            for account in TRADERS:
                key = CurveKeys.load(self.data / "keys", account).public
                ccer.trading_keys.grant(key, account)
            ccer.market_transfers.to_market("SEAWIND", P, tonnes, price_fen=PRICE_FEN)

    @staticmethod
    def _trading_day_after(day):
        day += timedelta(days=1)
        while not CALENDAR.is_trading_day(day):
            day += timedelta(days=1)
        return day

    @staticmethod
    def _at(time_of_day, day):
        return f"{day.isoformat()}T{time_of_day}:00+08:00"

    # -- processes --------------------------------------------------------------------------------

    def start(self):
        self.ccer.start()
        self.venue.start()
        return self

    def restart(self, daemon):
        """End one of the two with SIGKILL, and start it again."""
        daemon.kill()
        daemon.start()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exception):
        for client in self._clients.values():
            client.close()
        for daemon in (self.venue, self.ccer):
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.kill()

    # -- the exchange's operators -----------------------------------------------------------------

    def admin(self, who="op_an", **request):
        """Ask the venue as an operator; again while it does not answer."""
        until_s = time.monotonic() + WAIT_S * patience()
        while True:
            try:
                return admin_ask(self.data, request, key=who)
            except ActRefused:
                raise
            except AdminError:
                if time.monotonic() > until_s:
                    raise
                time.sleep(0.05)

    def until(self, condition, what, wait_s=WAIT_S):
        until_s = time.monotonic() + wait_s * patience()
        while not condition():
            assert time.monotonic() < until_s, f"waited for {what}: {self.admin(op='status')}"
            time.sleep(0.02)

    def listed(self):
        """Confirm the first listing, as it has come with the feed."""
        self.until(lambda: self.admin(op="status")["listings_waiting"], "the listing")
        self.admin(op="confirm_listing", product=P, why="papers in order")

    def day_begin(self):
        """Move the clock into the day's first session; the registry has confirmed the last."""
        self.admin(op="clock", at=self._at("09:35", self.day))
        self.until(lambda: self.admin(op="status")["phase"] == "listed_and_block", "the session")

    def pay_in(self, account, fen=CASH_FEN):
        self._payments += 1
        terms = {"account": account, "cash": fen, "reference": f"BK{self._payments}"}
        proposal = self.admin(op="cash_pay_in", **terms)["proposal"]
        shown = self.admin("op_bo", op="approve", number=proposal)
        assert shown["outcome"] == "booked", shown

    def day_end(self):
        """Move the clock behind the close; wait until both have confirmed the day."""
        ended = int(self.day.strftime("%Y%m%d"))
        self.admin(op="clock", at=self._at("15:05", self.day))
        self.until(lambda: self.admin(op="status")["confirmed_date"] == ended, "the delivery")
        self.day = self._trading_day_after(self.day)

    # -- participants -----------------------------------------------------------------------------

    def client(self, account):
        if account not in self._clients:
            keys = self.data / "keys"
            self._clients[account] = Client.connect(
                self.gateway,
                CurveKeys.load(keys, account),
                CurveKeys.load(keys, "venue").public,
                timeout_s=WAIT_S,
                report_seq=0,
            )
        return self._clients[account]

    def gateway(self):
        """Return where its gateway is; nowhere while it does not run."""
        try:
            return json.loads((self.data / "venue" / "endpoints.json").read_text())["gateway"]
        except (OSError, ValueError):
            return "tcp://127.0.0.1:1"

    def order(self, account, side, tonnes):
        """Enter an order; return how it was answered, whatever is killed meanwhile."""
        client, date = self.client(account), int(self.day.strftime("%Y%m%d"))
        until_s = time.monotonic() + WAIT_S * patience()
        while client.session.trading_date != date:
            assert time.monotonic() < until_s, f"{account} does not hear of the day"
            client.poll(0.02)
        entered = client.enter(P, side, price_fen=PRICE_FEN, tonnes=tonnes)
        return client.answer(entered, timeout_s=WAIT_S * patience())

    # -- at the end -------------------------------------------------------------------------------

    def stop(self):
        for client in self._clients.values():
            client.close()
        self._clients = {}
        self.venue.stop()
        self.ccer.stop()

    def registry_store(self):
        return CcerStore.open_reader(self.data, self._database)

    def differences(self):
        """What the CCER registry's database says against itself."""
        with self.registry_store() as store, store.view():
            return store_check(store, checks()).differences

    def held(self, account):
        """Return the tonnes on an account's trading account, at the registry."""
        with self.registry_store() as store:
            index, asset = store.account_index(account), store.product_index(P)
            return store.balance(Holding(index, asset, Compartment.TRADING))

    def traded(self):
        """Return the registry's trades: id, buyer, seller and tonnes, with the delivery's state."""
        with self.registry_store() as store:
            return store.execute(
                "SELECT t.trade_id, b.account, s.account, t.tonnes, d.state FROM trades AS t"
                " JOIN accounts AS b ON b.account_index = t.buyer_index"
                " JOIN accounts AS s ON s.account_index = t.seller_index"
                " JOIN deliveries AS d ON d.settlement_seq = t.settlement_seq ORDER BY t.trade_id"
            ).fetchall()
