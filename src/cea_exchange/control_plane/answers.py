"""What a daemon answers, fields or a refusal: one shape in memory, two forms on the wire.

    {"op": OP, ...}      {"op": "refused", "code", "expected", "got", "where"}    the venue
    {"ok": True, ...}    {"ok": False, "code", "error"}                            registry and bank
"""

from typing import Any

import msgspec


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why nothing was done.

    Attributes
    ----------
    why
        A sentence, where it is one.
    where, expected, got
        What else says it, part by part.
    code
        By which a program tells it from others: a name of the daemon's closed list
        (`domain.refusals`); empty: it has none.
    """

    why: str = ""
    where: str = ""
    expected: str = ""
    got: str = ""
    code: str = ""

    def sentence(self) -> str:
        """Return it as a person reads it."""
        if self.why:
            return self.why
        got = f", got {self.got}" if self.got else ""
        return f"{self.where}: expected {self.expected}{got}"


class Answer(msgspec.Struct, frozen=True):
    """What was done or found, or why nothing was.

    Attributes
    ----------
    fields
        The answer's fields; none of a refusal.
    refusal
        None: it was done.
    """

    fields: dict[str, Any] = {}
    refusal: Refusal | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing was refused."""
        return self.refusal is None

    def by_op(self, op: str) -> dict[str, Any]:
        """Return the form that repeats the ``op``."""
        if self.refusal is None:
            return {"op": op, **self.fields}
        refusal = self.refusal
        words = {"expected": refusal.expected, "got": refusal.got, "where": refusal.where}
        return {"op": "refused"} | _code(refusal) | words

    def by_ok(self) -> dict[str, Any]:
        """Return the form that begins with ``ok``."""
        if self.refusal is None:
            return {"ok": True, **self.fields}
        return {"ok": False} | _code(self.refusal) | {"error": self.refusal.sentence()}


def _code(refusal: Refusal) -> dict[str, str]:
    return {"code": refusal.code} if refusal.code else {}


def answer_read(answer: dict[str, Any]) -> Answer:
    """Return what a message of either form says."""
    if "ok" in answer:
        if answer["ok"]:
            return Answer({name: value for name, value in answer.items() if name != "ok"})
        return Answer({}, Refusal(why=answer["error"], code=answer.get("code", "")))
    if answer["op"] == "refused":
        return Answer({}, Refusal(**{name: answer.get(name, "") for name in _PARTS}))
    return Answer(answer)


_PARTS = ("where", "expected", "got", "code")
