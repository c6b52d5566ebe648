"""A registry that must not be: it stores `last_seq` in a transaction of its own.

Started in place of `cea-exchange registry`; a kill between the two commits leaves settled records
that the sequence does not know of. The kill test has to notice.
"""

import os
import signal
import sys
import time

from cea_exchange.registry.config import config_load
from cea_exchange.registry.daemon import RegistryDaemon
from cea_exchange.registry.settlement.settlement import Settlement

BETWEEN_S = float(os.environ.get("MUTANT_BETWEEN_S", "0.004"))
"""The wider, the fewer kills are needed."""


class SequenceOutside(Settlement):
    """Settles, commits, and only then commits how far it is."""

    def _run_apply(self, log_id, records):
        with self.store.transaction(act_id=0):
            posted, stopped = self._records_post(records)
        time.sleep(BETWEEN_S)
        last_seq = self.store.last_seq + posted
        with self.store.transaction():
            self.store.last_seq_set(log_id, last_seq)
        if stopped is not None:
            raise stopped
        return last_seq


def main(arguments):
    """Run the daemon with ``serve --config FILE --data DIR``."""
    config, data = arguments[2], arguments[4]
    with RegistryDaemon(config_load(config), data, settlement_class=SequenceOutside) as daemon:
        signal.signal(signal.SIGTERM, lambda *_: daemon.stop())
        daemon.run()


if __name__ == "__main__":
    main(sys.argv[1:])
