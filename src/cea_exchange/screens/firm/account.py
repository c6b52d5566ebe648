"""A firm's account at the registry: holdings, transfers to the venue and back, pay-outs."""

import asyncio
from typing import Any

from starlette.responses import Response

from cea_exchange.domain.records import Reason
from cea_exchange.screens.access import Rights
from cea_exchange.screens.firm.holder import account_of, represents
from cea_exchange.screens.firm.holdings import CASH, holdings_of
from cea_exchange.screens.institution.asking import (
    act,
    done_see,
    done_words,
    look,
    rows_look,
    sent,
    word_of,
)
from cea_exchange.screens.institution.proposals import waiting_of
from cea_exchange.screens.page import Page
from cea_exchange.screens.serving.forms import Form
from cea_exchange.screens.visit import Visit

PATH = "/account"
DIRECTIONS = ("in", "out")
LAST_SHOWN = 30


def may_propose(rights: Rights) -> bool:
    """Whether somebody may propose acts of the account."""
    return rights.role("registry") == "initiator"


async def account_show(visit: Visit) -> Response:
    """Show what the account has, and what moved it."""
    return await _page(visit)


async def _page(visit: Visit, *, status: int = 200, **forms: Form) -> Response:
    account = account_of(visit.rights)
    known, balance, (transfers, why), (entries, _), (waiting, _) = await asyncio.gather(
        look(visit, "registry", "account_show", account=account),
        look(visit, "registry", "balance", account=account),
        rows_look(visit, "registry", "transfers", "transfers", by="after", account=account),
        rows_look(
            *(visit, "registry", "entries", "entries"), by="after", account=account, count=1_000
        ),
        waiting_of(visit, ("registry",)),
    )
    holdings = holdings_of(balance.answer.get("balances", ()))
    return visit.show(
        "firm/account.html",
        live=["status"],
        status=status,
        account=account,
        known=known.answer,
        cash=holdings.pop(CASH),
        holdings=list(holdings.values()),
        assets=[(CASH, visit.text("account.cash")), *((name, name) for name in holdings)],
        word=word_of(visit),
        transfers=[_with_reason(visit, each) for each in reversed(transfers[-LAST_SHOWN:])],
        movements=_movements(entries, account),
        waiting=len(waiting),
        may_propose=may_propose(visit.rights),
        trouble=known.trouble or balance.trouble or why,
        done=done_words(visit),
        forms={
            "transfer": forms.get("transfer") or visit.empty_form(direction="in"),
            "pay_out": forms.get("pay_out") or visit.empty_form(),
        },
    )


def _with_reason(visit: Visit, transfer: dict[str, Any]) -> dict[str, Any]:
    """Return a transfer with the venue's reason as a sentence."""
    name = transfer["reason"]
    reason = Reason[name.upper()] if name else None
    return {**transfer, "why": visit.trouble(reason).sentence if reason else ""}


def _movements(entries: list[dict[str, Any]], account: str) -> list[dict[str, Any]]:
    """Return the last entries that touched the account, the latest first, leg by leg."""
    legs = [
        {**leg, "kind": entry["kind"], "day": entry["business_date"], "entry": entry["entry_id"]}
        | {"reference": entry["reference"]}
        for entry in entries
        for leg in entry["legs"]
        if leg["account"] == account
    ]
    return legs[: -LAST_SHOWN - 1 : -1]


async def _transfer(visit: Visit, form: Form) -> Response:
    direction = form.choice("direction", DIRECTIONS)
    asset = form.line("asset")
    amount = form.yuan("amount") if asset == CASH else form.whole("amount")
    if form.is_sound:
        request = {
            "op": f"transfer_{direction}",
            "account": account_of(visit.rights),
            "product": None if asset == CASH else asset,
            "amount": amount,
        }
        answer = await act(visit, form, "registry", request, fields=("amount",))
        if answer is not None:
            return done_see(visit, PATH, answer)
    return await _page(visit, status=422, transfer=visit.again(form))


async def _pay_out(visit: Visit, form: Form) -> Response:
    cash, creditor = form.yuan("cash"), form.line("creditor", length_max=34)
    if form.is_sound:
        request = {
            "op": "pay_out",
            "account": account_of(visit.rights),
            "cash": cash,
            "creditor": creditor,
        }
        answer = await act(visit, form, "registry", request, fields=("cash", "creditor"))
        if answer is not None:
            return done_see(visit, PATH, answer)
    return await _page(visit, status=422, pay_out=visit.again(form))


PAGES = (
    Page(
        path=PATH,
        name="account",
        section="firm",
        show=account_show,
        acts={"/transfer": sent(_transfer), "/pay-out": sent(_pay_out)},
        allowed=represents,
    ),
)
