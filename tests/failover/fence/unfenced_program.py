"""`cea-exchange venue` without its fence: what it tells the log it expects, it does not tell.

    python -m failover.fence.unfenced_program serve --config FILE --data DIR

Frames go to the log wherever it ends, and whatever it says to them is taken for yes. All else is as
it is: the lease, the epochs, whose records have the fence still; and who follows leaves out what a
leader of before wrote behind the record of the next. For the control alone: it loses, and the
checker has to say so.
"""

import runpy
import sys
from typing import Any

import msgspec
import nats.errors
from nats.js import api

from cea_exchange.cluster import replicated_log
from cea_exchange.cluster.log_message import LogMessage
from cea_exchange.cluster.replicated_log import Outcome, ReplicatedLog
from cea_exchange.venue.replication.member import ClusterMember

COMMAND_LINE = "cea_exchange.cli.main"
OF_AN_EPOCH = "E"


def main(arguments: list[str]) -> None:
    """Run the venue; arguments are those of `venue`."""
    fenced, follow = ReplicatedLog._append, ClusterMember._apply

    async def append(self: ReplicatedLog, expected: int, message_id: str, data: bytes) -> Any:
        if message_id.startswith(OF_AN_EPOCH):
            return await fenced(self, expected, message_id, data)
        headers = {api.Header.MSG_ID.value: message_id}
        while True:
            try:
                answer = await self.connection.client.request(
                    self.config.subject, data, timeout=replicated_log.ATTEMPT_S_MAX, headers=headers
                )
            except (TimeoutError, OSError, nats.errors.Error):
                continue
            if "error" not in msgspec.json.decode(answer.data):
                return Outcome.ACKED

    def apply(self: ClusterMember, message: LogMessage) -> None:
        if message.head.epoch < self.epoch:
            self._chain.log_seq = message.log_seq
            return
        follow(self, message)

    ReplicatedLog._append = append
    ClusterMember._apply = apply
    sys.argv = ["cea-exchange", "venue", *arguments]
    runpy.run_module(COMMAND_LINE, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
