"""A registry daemon on a data folder, as a process of its own or in a thread; for tests."""

import json
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.daemon import RegistryDaemon
from cea_exchange.registry.store import RegistryStore
from support.patience import patience
from support.registry.fake_venue import Caller, wait_until


class Daemon:
    """A registry process on a data folder."""

    def __init__(self, data):
        self.data = data
        self.process = None

    def start(self):
        path = self.data / "registry" / "endpoints.json"
        path.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "cea_exchange.cli.main", "registry", "serve"),
                *("--config", str(self.data / "registry.toml"), "--data", str(self.data)),
            ],
            stderr=(self.data / "registry.log").open("a"),
        )
        wait_until(lambda: path.exists() or self.process.poll() is not None, 20)
        assert path.exists(), (self.data / "registry.log").read_text()
        self.endpoints = json.loads(path.read_text())

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        assert 0 == self.process.wait(30 * patience())

    def caller(self, name, keys=None):
        directory = self.data / "keys"
        server_key = CurveKeys.load(directory, "registry").public
        endpoint = self.endpoints["feed" if name == "venue" else "admin"]
        return Caller(keys or CurveKeys.load(directory, name), server_key, endpoint)

    def last_seq(self):
        with RegistryStore.open_reader(self.data) as store:
            return store.last_seq


@contextmanager
def running(config, data):
    """A daemon in a thread, which must not have ended of itself; yields how its operator asks."""
    with RegistryDaemon(config, data) as daemon:
        thread = threading.Thread(target=daemon.run)
        thread.start()
        endpoints = json.loads((data / "registry" / "endpoints.json").read_text())
        server_key = CurveKeys.load(data / "keys", "registry").public
        admin = CurveKeys.load(data / "keys", "admin")
        caller = Caller(admin, server_key, endpoints["admin"])
        try:
            yield lambda **request: caller.ask(request)
            assert thread.is_alive()
        finally:
            daemon.stop()
            thread.join(20)
            caller.close()
