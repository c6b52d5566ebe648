"""Requests of every kind with the values at which numbers, days and texts end.

One field after the other at its edges with the rest sound, then all of them at random: whoever
answers does it or refuses it, and never says that only its log knows why.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

INTS = (
    *(-(2**63), -(10**9), -1, 0, 1, 2, 5, 11, 99, 2024, 2025, 2**31, 2**53, 2**62, 2**63 - 1),
    *(2**63, 2**64 - 1),
    # Years and days that no calendar has.
    *(1, 9999, 10_000, 10**9, 99991231, 99991232, 20250229, 20251301, 10**9 * 10_000 + 101),
    *(20251101, 1_01_01, 20261231),
)
TEXTS = (
    *("", " ", "P1", "P2", "P3", "P99", "CEA24", "CEA25", "CEA2024", "CNY", "TOTAL", "CEA"),
    *("\0", "a\0b", "x\u202ey", "\u3164", "=1+1", "-", "ＡＢ", "１", "²", "9" * 30, "x" * 5_000),
    *("competent authority", "province Beijing", "a.csv", "../a", ".", "..", "2024-12-31"),
)
BYTES = (b"", b"\0\xff", b"PK\3\4", b"compliance_year\n2024\n", b"a,b\n" * 1_000, b"\xa8\xa6")
FLOATS = (0.0, -1.0, 0.5, 1e308, -1e308, 1e-308)
IDS = (1, 2, 3)
RANDOM_EACH = 60


class TakenBack(Exception):
    """Ends a transaction of which nothing is to stay."""


class EdgeRequests:
    """Makes requests.

    Parameters
    ----------
    types
        Those to be asked.
    sound
        Field -> values of which something comes; a list of ids needs none.
    texts
        More texts to be tried, such as keys.
    record
        What stands for a record within a request, in which each field is tried.
    """

    def __init__(
        self,
        types: Sequence[type],
        sound: Mapping[str, tuple[Any, ...]],
        rng: Any,
        *,
        texts: tuple[str, ...] = (),
        record: Mapping[str, Any] | None = None,
    ) -> None:
        self._types, self._sound, self._rng = types, sound, rng
        self._texts, self._record = (*TEXTS, *texts), record

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for found in self._types:
            info: Any = msgspec.inspect.type_info(found)
            fields = {
                field.encode_name: self._values(field.type, field.name)
                for field in info.fields
                if field.name != "request_id"
            }
            sound = {
                name: self._sound.get(name, IDS if name.endswith("_id") else each)
                for name, each in fields.items()
            }
            yield {"op": info.tag}
            choice = self._rng.choice
            for name, each in fields.items():
                for value in each:
                    others = {other: choice(sound[other]) for other in fields if other != name}
                    yield {"op": info.tag, **others, name: value}
            for _ in range(RANDOM_EACH):
                yield {"op": info.tag, **{name: choice(each) for name, each in fields.items()}}

    def _values(self, kind: Any, name: str) -> list[Any]:
        """Return values to try for a field of a type, as a message has them."""
        inspected = msgspec.inspect
        match kind:
            case inspected.Metadata(type=bare):
                return self._values(bare, name)
            case inspected.UnionType(types=types):
                return [each for one in types for each in self._values(one, name)]
            case inspected.NoneType():
                return [None]
            case inspected.BoolType():
                return [True, False]
            case inspected.IntType():
                return [*INTS, *(IDS if name.endswith("_id") else ())]
            case inspected.FloatType():
                return list(FLOATS)
            case inspected.StrType():
                return list(self._texts)
            case inspected.BytesType():
                return list(BYTES)
            case inspected.LiteralType(values=found):
                return list(found)
            case inspected.EnumType(cls=cls):
                return [each.value for each in cls]
            case inspected.DictType(value_type=of):
                return [{}, *({key: value} for key, value in self._pairs(of, name))]
            case inspected.VarTupleType(item_type=of) | inspected.ListType(item_type=of):
                each = self._values(of, name)
                return [[], *([value] for value in each), each[:40], each[:2] * 2]
            case inspected.StructType(fields=fields) | inspected.DataclassType(fields=fields):
                return self._records(fields)
        raise AssertionError(f"{name}: no values for {kind}")

    def _pairs(self, of: Any, name: str) -> Iterator[tuple[str, Any]]:
        values = self._values(of, name)
        for key in ("CEA24", "2022", *self._rng.sample(self._texts, 3)):
            yield key, self._rng.choice(values)

    def _records(self, fields: Any) -> list[Any]:
        values = {field.encode_name: self._values(field.type, field.name) for field in fields}
        sound = self._record or {name: each[0] for name, each in values.items()}
        return [sound, *(sound | {name: value} for name, each in values.items() for value in each)]


def broken_of(service, requests, sound, keys):
    """Ask all requests of an institution but `stop`, by every role that has a key; see `broken_by`.

    Parameters
    ----------
    service
        Of the institution, which answers.
    requests
        Its `Requests`.
    keys
        Role -> key of somebody who has it.
    """
    types = [each for each in requests.types if each.__struct_config__.tag != "stop"]
    may = {op: [role for role in roles if role in keys] for op, roles in requests.roles().items()}
    return broken_by(
        EdgeRequests(types, sound, random.Random(1)),
        may,
        lambda role, payload: service.reply(keys[role], payload).answer.by_ok(),
        service.services.transaction,
    )


def broken_by(requests, may, ask, transaction):
    """Ask all requests by every role that may; take back what was done.

    Parameters
    ----------
    may
        Op -> roles.
    ask
        (role, payload) -> answer.
    transaction
        In which a request is asked.

    Returns
    -------
    broken : list
        Answers that only a log explains, with their requests.
    done : int
        How many were done.
    """
    broken, done = [], 0
    for request in requests:
        for role in may[request["op"]]:
            try:
                payload = msgspec.msgpack.encode(request)
            except OverflowError:
                continue
            with suppress(TakenBack), transaction():
                answer = ask(role, payload)
                msgspec.msgpack.encode(answer)
                raise TakenBack
            if answer.get("code") == "INTERNAL":
                broken.append((answer["error"], request))
            done += answer["ok"]
    return broken, done
