"""`cea-exchange bank serve` as a process of its own, which may be killed and started again."""

import os
import signal
import subprocess
import sys
import time

from cea_exchange.protocol.bank.iso_20022 import camt_053, pain_001, pain_002
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.bank.client import BankClient
from cea_exchange.registry.bank.requests import AskStatement, AskStatus, OpenAccount, SendBatch
from support.patience import patience
from support.places import ROOT

SERVE = (sys.executable, "-m", "cea_exchange.cli.main", "bank", "serve")
SOURCE = ROOT / "src"
RESTART_STATUS = 75
WAIT_S = 30


class Customer(BankClient):
    """Says to the bank what a registry's errands say."""

    def open_account(self, account):
        self.ask(OpenAccount(account=account))

    def send_content(self, batch):
        return self.content(SendBatch(content=pain_001.batch_write(batch)))

    def send(self, batch):
        return pain_002.report_read(self.send_content(batch), batch.batch_id, batch=batch)

    def status(self, batch):
        content = self.content(AskStatus(batch_id=batch.batch_id))
        return pain_002.report_read(content, batch.batch_id, batch=batch)

    def statement_content(self, business_date, sequence=1):
        return self.content(AskStatement(business_date=business_date, sequence=sequence))

    def statement(self, business_date, sequence=1, known=None):
        content = self.statement_content(business_date, sequence)
        name = f"statement {business_date}"
        return camt_053.statement_read(content, name, known or camt_053.Known())

    def exchange(self, bank):
        """Send what a registry's bank service has to say, and let it take the answers."""
        while bank.instruct():
            pass
        for batch in bank.batches():
            bank.reports.answer_take(batch, self.send_content(batch))
        for batch in bank.batches_pending():
            content = self.content(AskStatus(batch_id=batch.batch_id))
            bank.reports.answer_take(batch, content)


class BankProcess:
    """A running bank with the keys of its customer and its admin.

    Parameters
    ----------
    data : Path
        Its data folder; keys are made where there are none.
    seed : int
        What goes wrong is drawn from it.
    faults : dict
        How often what goes wrong, per mille.
    """

    def __init__(self, data, seed=1, **faults):
        self.data = data
        self.seed = seed
        for name in ("bank", "registry", "admin"):
            if not (data / "keys" / f"{name}.secret").exists():
                CurveKeys.new().save(data / "keys", name)
        lines = [f"{name} = {rate}" for name, rate in faults.items()]
        self._config = data / "bank.toml"
        self._config.write_text("\n".join(["[faults]", *lines]) + "\n")
        self.start()

    def start(self):
        endpoints = self.data / "bank" / "endpoints.json"
        endpoints.unlink(missing_ok=True)
        arguments = ("--data", self.data, "--seed", self.seed, "--config", self._config)
        environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
        with (self.data / "bank.log").open("a") as log:
            self.process = subprocess.Popen(
                [*SERVE, *map(str, arguments)], stderr=log, env=environment
            )
        end = time.monotonic() + WAIT_S * patience()
        while not endpoints.exists():
            assert self.process.poll() is None and time.monotonic() < end, self.log()
            time.sleep(0.01)

    def client(self, name="registry", **options):
        return Customer(self.data, CurveKeys.load(self.data / "keys", name), **options)

    def kill(self):
        self.process.kill()
        self.process.wait(WAIT_S)

    def revive(self):
        """Start it again where it was killed or ended of its own draw; return its status then."""
        status = self.process.poll()
        if status is not None:
            assert status in (RESTART_STATUS, -signal.SIGKILL), self.log()
            self.start()
        return status

    def end(self):
        """Tell it to stop and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_S)

    def log(self):
        return (self.data / "bank.log").read_text()

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.process.kill()
        self.process.wait(WAIT_S)
