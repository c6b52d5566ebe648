"""`cea-exchange venue serve` as a process on a world's folder, and what it prints."""

import json
import subprocess
import sys
import time

from support.patience import patience

# The fake registry settles nothing, and must not be blamed for it on a slow machine.
LAG_OFF = "[lag]\nwarn = [0, 0]\nthrottle = [0, 0]\ncancel_only = [0, 0]\nhalt = [0, 0]\n"
# Processes of their own for the public and for participants are for the tests that ask for them;
# and tests send as fast as they can.
NO_RELAY = "relay = false\n"
NO_FRONTS = "fronts = 0\n"
UNTHROTTLED = "throttle_per_second = 0\nthrottle_cancels_per_second = 0\n"
UNTHROTTLED += UNTHROTTLED.replace("throttle_", "throttle_account_")
CLOCK = NO_RELAY + NO_FRONTS + UNTHROTTLED
CLOCK += '[clock]\nkind = "manual"\nstart = "2024-12-31T08:00:00+08:00"\n' + LAG_OFF
SERVE = (sys.executable, "-m", "cea_exchange.cli.main", "venue", "serve")
WAIT_S = 60


class VenueProcess:
    """A running venue; `endpoints` as the world's own daemon has them.

    Parameters
    ----------
    world : World
        Its data folder and keys.
    program : sequence of str
        What is run.
    settings : str
        The config file.
    """

    def __init__(self, world, *, program=SERVE, settings=CLOCK):
        self.data = world.data
        (self.data / "venue.toml").write_text(settings)
        path = self.data / "venue" / "endpoints.json"
        path.unlink(missing_ok=True)
        arguments = ("--config", str(self.data / "venue.toml"), "--data", str(self.data))
        with (self.data / "venue.log").open("a") as log:
            self.process = subprocess.Popen([*program, *arguments], stderr=log)
        end = time.monotonic() + WAIT_S * patience()
        while not path.exists():
            assert self.process.poll() is None and time.monotonic() < end, self.log()
            time.sleep(0.02)
        self.endpoints = json.loads(path.read_text())
        self.market_data_public_key = self.endpoints["market_data_public_key"]

    def log(self):
        return (self.data / "venue.log").read_text()

    def end(self, number):
        self.process.send_signal(number)
        return self.process.wait(WAIT_S)


def command(*arguments):
    """Run `cea-exchange` to its end."""
    program = [sys.executable, "-m", "cea_exchange.cli.main", *arguments]
    return subprocess.run(program, capture_output=True, text=True, timeout=120 * patience())
