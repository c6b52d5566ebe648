"""`cea-exchange registry product, key, transfer, pay, balance, entries`."""

from enum import Enum
from typing import Annotated, Any

import typer

from cea_exchange.cli.asking import Answer, act, look, table
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.options import ADMIN, Data, Json, Key
from cea_exchange.cli.readable import (
    PriceArgument,
    YuanArgument,
    amount,
    date_option,
    date_shown,
    yuan_typed,
)
from cea_exchange.cli.registry_person import key_text

Account = Annotated[str, typer.Argument(help="Account.")]
ProductOption = Annotated[str | None, typer.Option("--product", help="Which allowances.")]
TonnesOption = Annotated[int | None, typer.Option("--tonnes", help="How many of them.")]
CashOption = Annotated[
    int | None,
    typer.Option("--cash", parser=yuan_typed, metavar="YUAN", help="Yuan, such as 1000.00."),
]


class State(Enum):
    """Of a transfer."""

    pending = "pending"
    completed = "completed"
    rejected = "rejected"


def register(group: typer.Typer) -> None:
    """Add the groups and commands to the group `registry`."""
    _group(group, "product", "Products.").command("declare")(product_declare)
    keys = _group(group, "key", "Participants' keys at the venue.")
    keys.command("grant")(key_grant)
    keys.command("revoke")(key_revoke)
    transfers = _group(group, "transfer", "Transfers to the venue and back.")
    transfers.command("in")(transfer_in)
    transfers.command("out")(transfer_out)
    transfers.command("list")(transfer_list)
    _group(group, "pay", "Cash from the bank.").command("in")(pay_in)
    for command in (balance, entries):
        group.command(command.__name__)(command)


def _group(parent: typer.Typer, name: str, words: str) -> typer.Typer:
    group = CommandLine()
    # A callback keeps a command a subcommand while it is the only one.
    group.callback()(lambda: None)
    parent.add_typer(group, name=name, help=words)
    return group


def product_declare(
    product: Annotated[str, typer.Argument(help="The product's name.")],
    price: PriceArgument,
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Declare a product, here and at the venue; two persons do it.

    Example: cea-exchange registry product declare CEA24 97.49
    """
    act(data, key, {"op": "product_declare", "product": product, "reference_price": price}, json)


def key_grant(
    public_key: Annotated[str, typer.Argument(help="Public key, or the file NAME.public.")],
    account: Annotated[str, typer.Argument(help="For which account it acts.")],
    data: Data,
    operator_index: Annotated[int, typer.Option("--operator", help="Which operator: 0 to 15.")] = 0,
    role: Annotated[str, typer.Option(help="trader, canceller or reader.")] = "trader",
    cancel_on_disconnect: Annotated[
        bool, typer.Option(help="Whether orders go with a lost session.")
    ] = True,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Let a key act for an account at the venue; a representative of the account approves.

    Example: cea-exchange registry key grant keys/p001.public P001
    """
    request = {"op": "key_grant", "key": key_text(public_key), "account": account, "role": role}
    request |= {"operator_index": operator_index, "cancel_on_disconnect": cancel_on_disconnect}
    act(data, key, request, json)


def key_revoke(
    public_key: Annotated[str, typer.Argument(help="Public key, or the file NAME.public.")],
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Take back what a key may do at the venue.

    Example: cea-exchange registry key revoke keys/p001.public
    """
    act(data, key, {"op": "key_revoke", "key": key_text(public_key)}, json)


def pay_in(
    account: Account,
    cash: YuanArgument,
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Book cash that was paid in, where there is no settlement bank; two persons do it.

    Example: cea-exchange registry pay in P001 1000.00
    """
    act(data, key, {"op": "pay_in", "account": account, "cash": cash}, json)


def transfer_in(
    account: Account,
    data: Data,
    product: ProductOption = None,
    tonnes: TonnesOption = None,
    cash: CashOption = None,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Send tonnes of a product, or cash, to the account at the venue; two persons do it.

    Example: cea-exchange registry transfer in P001 --product CEA24 --tonnes 5 --key li
    """
    act(data, key, _transfer("transfer_in", account, product, tonnes, cash), json)


def transfer_out(
    account: Account,
    data: Data,
    product: ProductOption = None,
    tonnes: TonnesOption = None,
    cash: CashOption = None,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Ask the venue to let tonnes of a product, or cash, go; two persons do it.

    Example: cea-exchange registry transfer out P001 --cash 1000.00 --key li
    """
    act(data, key, _transfer("transfer_out", account, product, tonnes, cash), json)


def transfer_list(
    data: Data,
    account: Annotated[str | None, typer.Option(help="Only of this one.")] = None,
    state: Annotated[State | None, typer.Option(help="Only those that are so.")] = None,
    after: Annotated[int, typer.Option(help="Behind this transfer.", min=0)] = 0,
    count: Annotated[int, typer.Option(help="How many at most.", min=1, max=1_000)] = 100,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Print transfers to the venue and back, and why the venue rejected one.

    Example: cea-exchange registry transfer list --account P001 --key li
    """
    request = {"op": "transfers", "account": account, "after": after, "count": count}
    request["state"] = state and state.value
    look(data, key, request, json, _transfers)


def balance(
    account: Annotated[str, typer.Argument(help="Account, or an institution's name.")],
    data: Data,
    product: Annotated[str | None, typer.Option(help="Only this one; CNY is cash.")] = None,
    as_of: Annotated[int | None, typer.Option(help="After this entry of the ledger.")] = None,
    as_of_date: Annotated[int | None, date_option("--as-of-date", "At the end of this day")] = None,
    as_of_settlement: Annotated[
        int | None, typer.Option(help="When settlement had reached this sequence.")
    ] = None,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Print what an account holds, or held.

    Example: cea-exchange registry balance P001 --as-of-date 2025-07-16
    """
    request = {"op": "balance", "account": account, "product": product, "as_of": as_of}
    request |= {"as_of_date": as_of_date, "as_of_settlement": as_of_settlement}
    look(data, key, request, json, _balances)


def entries(
    data: Data,
    account: Annotated[str | None, typer.Option(help="Only what touches it.")] = None,
    product: Annotated[str | None, typer.Option(help="Only of this one; CNY is cash.")] = None,
    after: Annotated[int, typer.Option(help="Behind this entry.", min=0)] = 0,
    count: Annotated[int, typer.Option(help="How many at most.", min=1, max=1_000)] = 100,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Print the ledger's entries with their legs.

    An answer about one account or product reads 20,000 entries at most and says where to go on.

    Example: cea-exchange registry entries --account P001
    """
    request = {"op": "entries", "account": account, "product": product, "after": after}
    look(data, key, request | {"count": count}, json, _entries)


def _transfer(
    op: str, account: str, product: str | None, tonnes: int | None, cash: int | None
) -> dict[str, Any]:
    if (product is None) != (tonnes is None) or (product is None) == (cash is None):
        raise CommandError("expected --product and --tonnes, or --cash")
    sent = tonnes if cash is None else cash
    return {"op": op, "account": account, "product": product, "amount": sent}


def _balances(answer: Answer) -> str:
    rows = [
        (row["product"], row["compartment"], amount(row["product"], row["amount"]))
        for row in answer["balances"]
    ]
    head = f"{answer['account']} after entry {answer['entry_id']}"
    return "\n".join([head, table(("product", "where", "amount"), rows)] if rows else [head, "-"])


def _transfers(answer: Answer) -> str:
    heads = ("number", "direction", "account", "product", "amount", "state", "reason")
    rows = [
        (row["transfer_seq"], row["direction"], row["account"], row["product"])
        + (amount(row["product"], row["amount"]), row["state"], row["reason"] or "-")
        for row in answer["transfers"]
    ]
    return _told(table(heads, rows) if rows else "no transfers", answer)


def _entries(answer: Answer) -> str:
    heads = ("entry", "date", "kind", "reference", "account", "product", "where", "amount")
    rows = [
        (entry["entry_id"], date_shown(entry["business_date"]), entry["kind"])
        + (entry["reference"] or "-",)
        + (leg["account"], leg["product"], leg["compartment"])
        + (amount(leg["product"], leg["amount"]),)
        for entry in answer["entries"]
        for leg in entry["legs"]
    ]
    return _told(table(heads, rows) if rows else "no entries", answer)


def _told(text: str, answer: Answer) -> str:
    further = answer["next"]
    return text if further is None else f"{text}\nthere is more: --after {further}"
