"""CCER registry and allowance registry as processes on one folder, linked, either killed."""

import random
import time

from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.control.admin_client import registry_ask
from support.ccer.ccer_process import CcerProcess
from support.patience import asked_again
from support.registry.compliance_world import World
from support.registry.fake_venue import wait_until
from support.registry.registry_process import Daemon

YEAR, DAY = 2024, 20251101
OBLIGATION = 1_000_000
SETTINGS = """{database}fronts = 0
admission = "open"

[ccer]

[clock]
kind = "manual"
start = "2025-11-01T04:00:00+00:00"

[[operators]]
name = "Xu Ke"
key = "{xu}"

[[operators]]
name = "Ye Fan"
key = "{ye}"
"""


class LinkedRegistries:
    """Both daemons on one folder: 10,000 CCERs are issued, two entities owe for 2024.

    Parameters
    ----------
    addresses
        Of the CCER registry's database, and of the allowance registry's.
    """

    def __init__(self, data, addresses=(None, None)):
        self.data, (self.at_ccer, self.at_registry) = data, addresses
        self.ccer = CcerProcess(data, self.at_ccer).prepare({"2022": 10_000})
        for name in ("venue", "xu", "ye"):
            CurveKeys.new().save(data / "keys", name)
        at = self.at_registry
        keys = {who: CurveKeys.load(data / "keys", who).public for who in ("xu", "ye")}
        database = "" if at is None else f'database = "{at}"\n'
        (data / "registry.toml").write_text(SETTINGS.format(database=database, **keys))
        with World(data, at, day=DAY) as world:
            for entity in ("P001", "P002"):
                world.entity(entity)
            world.owe(YEAR, ("P001", OBLIGATION), ("P002", OBLIGATION))
        self.registry = Daemon(data)
        self.random = random.Random(2024)

    def __enter__(self):
        self.ccer.start()
        self.registry.start()
        return self

    def __exit__(self, *_exception):
        for process in (self.ccer.process, self.registry.process):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()

    def stop(self):
        self.registry.stop()
        self.ccer.stop()

    def kill_one(self):
        """End one of them with SIGKILL after a moment, and start it again."""
        time.sleep(self.random.random() / 10)
        killed = self.random.choice((self.ccer, self.registry))
        killed.kill()
        killed.start()

    # -- persons ----------------------------------------------------------------------------------

    def cancelled(self, tonnes, entity="P001"):
        """Let CCERs end for an entity's obligation; return the proof's number."""
        use = {"purpose": "national_ets", "beneficiary": entity, "compliance_year": YEAR}
        (proof,) = self.ccer.staff.cancelled(tonnes, **use)["proofs"]
        return proof

    def ask(self, who, op, **terms):
        return asked_again(lambda: registry_ask(self.data, {"op": op, **terms}, key=who))

    def states(self):
        return {row["proof"]: row["state"] for row in self.ask("xu", "offset_proofs")["proofs"]}

    def booked(self, proof):
        """Let two persons book a proof that is confirmed."""
        proposal = self.ask("xu", "offset_confirm", proof=proof)["proposal"]
        return self.ask("ye", "approve", proposal=proposal)

    def wait_for(self, proof, state):
        wait_until(lambda: self.states().get(proof) == state, 30)

    def all_said(self):
        """Wait until nothing is on its way between both."""

        def is_said():
            shown = self.ccer.ask("gu", "status")
            here = self.ask("xu", "status")
            return (
                here["ccer_seq"] == shown["proof_seq"]
                and here["ccer_claims_open"] == 0
                and shown["claim_seq"] == here["ccer_claim_seq"]
            )

        wait_until(is_said, 30)

    def offset(self, entity="P001"):
        rows = self.ask("xu", "compliance_list", compliance_year=YEAR)["entities"]
        return next(row["offset"] for row in rows if row["account"] == entity)
