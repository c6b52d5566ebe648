"""What a participant's program does at a venue; arguments are its address, keys and public key.

Run by `test_consumer.py` against a venue, and checked by `mypy --strict`.
"""

import asyncio
import sys

import numpy as np
import pandas as pd  # type: ignore[import-untyped]

from cea_exchange import EventKind, Reason, Side
from cea_exchange.client import (
    AsyncClient,
    Client,
    KeyRefused,
    NobodyThere,
    NotConnected,
    Report,
    ServerKeyWrong,
)
from cea_exchange.protocol.security import CurveKeys


def trade(endpoint: str, keys: CurveKeys, server_key: str) -> list[Report]:
    """Enter, amend and cancel; return what was reported."""
    with Client.connect(endpoint, keys, server_key, timeout_s=10.0, report_seq=0) as client:
        print(repr(client))
        entered: int = client.enter("CEA24", Side.BUY, price="97.50", tonnes=np.int64(10))
        accepted: Report = client.answer(entered)
        client.answer(client.amend(accepted.order_id, price_fen=9_740, tonnes=8))
        book = client.book("CEA24")
        best = book["bids"][0]
        assert (best["price"], best["tonnes"]) == (9_740, 8)
        owner = client.party(account="alice")["account_index"]
        assert owner is not None and client.blocks() == [] and client.biddings() == []
        try:
            client.enter("CEA99", "buy", price="97.50", tonnes=1)
        except LookupError as error:
            print(error)
        canceled = client.answer(client.cancel(accepted.order_id))
        assert canceled.reason == Reason.REQUESTED
        return list(client.reports(timeout_s=0.5))


async def look(endpoint: str, keys: CurveKeys, server_key: str) -> int:
    """Do the same without blocking."""
    async with await AsyncClient.connect(endpoint, keys, server_key) as client:
        answer = await client.answer(await client.enter("CEA24", "buy", price="97.00", tonnes=1))
        await client.answer(await client.cancel(answer.order_id))
        return answer.price


def diagnosis(endpoint: str, keys: CurveKeys, server_key: str) -> str:
    """Say what is wrong with what one connects by."""
    try:
        Client.connect(endpoint, keys, server_key, timeout_s=1.0).close()
    except KeyRefused:
        return "key"
    except ServerKeyWrong:
        return "server key"
    except NobodyThere:
        return "address"
    except NotConnected as error:
        return str(error)
    return "nothing"


def main(endpoint: str, folder: str, server_key: str) -> None:
    keys = CurveKeys.load(folder, "alice")
    reports = trade(endpoint, keys, server_key)
    frame = pd.DataFrame(reports)
    kinds = [EventKind(kind).name for kind in frame["kind"]]
    assert kinds[-2:] == ["ORDER_RESTED", "ORDER_CANCELED"], kinds
    assert frame["price"].iloc[-1] == 9_740
    assert asyncio.run(look(endpoint, keys, server_key)) == 9_700
    stranger = CurveKeys.new()
    print("wrong key:", diagnosis(endpoint, stranger, server_key))
    print("wrong server key:", diagnosis(endpoint, keys, stranger.public))
    print("wrong address:", diagnosis("tcp://127.0.0.1:1", keys, server_key))
    print("right:", diagnosis(endpoint, keys, server_key))


if __name__ == "__main__":
    main(*sys.argv[1:])
