"""Whether a process is there: it listens on a subject for as long as it is connected to the log."""

import nats.errors
from nats.aio.msg import Msg

from cea_exchange.cluster.connection import LogConnection


async def listen(connection: LogConnection, subject: str) -> None:
    """Answer whoever asks whether this process is there."""
    await connection.answer(subject, _answer)


async def is_absent(connection: LogConnection, subject: str, wait_s_max: float) -> bool:
    """Whether nobody listens on a subject, as the log's nodes say at once.

    Who listens and gives no answer stands still, or the way to it does: it is not absent.
    """
    try:
        await connection.client.request(subject, b"", timeout=wait_s_max)
    except nats.errors.NoRespondersError:
        return True
    except (OSError, nats.errors.Error):
        return False
    return False


async def _answer(message: Msg) -> None:
    await message.respond(b"")
