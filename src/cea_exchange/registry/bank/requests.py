"""What a bank's socket takes: MessagePack maps, the key ``op`` says which."""

from typing import Annotated

import msgspec

BANK_MESSAGE_BYTES_MAX = 256 << 20
"""A day's statement of all sub-accounts is one message."""


Sequence = Annotated[int, msgspec.Meta(ge=1, le=2**31)]
"""Of a day's statements."""


class _Request(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="op"
):
    """One request; every answer has ``ok``, and ``code`` and ``error`` where that is false."""


class SendBatch(_Request, tag="batch"):
    """Take a batch, a pain.001; the answer's ``content`` is a pain.002."""

    content: bytes


class AskStatus(_Request, tag="status"):
    """How a batch's instructions stand by now; ``content`` is a pain.002."""

    batch_id: str


class AskStatement(_Request, tag="statement"):
    """The day's statement of that sequence, made now if it is the next; a camt.053."""

    business_date: int
    sequence: Sequence = 1


class OpenAccount(_Request, tag="open_account"):
    """Open a sub-account; nothing happens if there is one."""

    account: str


class PayIn(_Request, tag="pay_in"):
    """A participant pays into a sub-account; the same `payment_id` counts once."""

    payment_id: str
    account: str
    cash: int
    business_date: int
    reference: str = ""


class Withdraw(_Request, tag="withdraw"):
    """Cash leaves a sub-account without an instruction; the same `payment_id` counts once."""

    payment_id: str
    account: str
    cash: int
    business_date: int
    reference: str = ""


class AskTruth(_Request, tag="truth"):
    """What is really so: balances, and what went wrong with each instruction."""


CustomerRequest = SendBatch | AskStatus | AskStatement | OpenAccount
Request = CustomerRequest | PayIn | Withdraw | AskTruth
