"""A firm's obligation of a year: what is missing, what it costs, surrender, certificate."""

import asyncio
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.screens.firm.account import may_propose
from cea_exchange.screens.firm.banking import banking_of, carryover_apply
from cea_exchange.screens.firm.certificate import certificate_pdf
from cea_exchange.screens.firm.holder import account_of, represents
from cea_exchange.screens.firm.holdings import CASH, Holding, holdings_of
from cea_exchange.screens.firm.ways import lines_proposed, may_pay, need_of, ways_of
from cea_exchange.screens.institution.asking import (
    Looked,
    act,
    done_see,
    done_words,
    look,
    rows_look,
    sent,
    today_of,
    year_asked,
)
from cea_exchange.screens.institution.proposals import waiting_of
from cea_exchange.screens.page import Page
from cea_exchange.screens.serving.forms import Form
from cea_exchange.screens.visit import Visit

PATH = "/obligation"
YEARS_BACK = 4
TONNES = "tonnes_"
RULES = ComplianceRules.load()


async def obligation_show(visit: Visit) -> Response:
    """Show how an obligation stands: of the year that is asked for, else of the last there is."""
    return await _page(visit)


async def _page(
    visit: Visit, form: Form | None = None, *, banking: Form | None = None
) -> Response:
    account = account_of(visit.rights)
    today = await today_of(visit, "registry")
    years = range(today.year - YEARS_BACK, today.year)
    notices = dict(zip(years, await asyncio.gather(*(_notice(visit, year) for year in years)),
                       strict=True))
    noticed = [year for year, notice in notices.items() if notice]
    year = year_asked(visit, noticed[-1] if noticed else years[-1])
    notice = notices[year] if year in notices else await _notice(visit, year)
    balance, certificate, (history, _), (waiting, _) = await asyncio.gather(
        look(visit, "registry", "balance", account=account),
        look(visit, "registry", "surrender_certificate", account=account, compliance_year=year),
        rows_look(visit, "registry", "surrender_history", "surrenders", account=account,
                  compliance_year=year),
        waiting_of(visit, ("registry",)),
    )
    holdings = holdings_of(balance.answer.get("balances", ()))
    context = _figures(visit, year, notice, holdings, int(today.strftime("%Y%m%d")))
    context |= await banking_of(visit, holdings)
    return visit.show(
        "firm/obligation.html",
        live=["status"],
        status=200 if form is banking is None else 422,
        years=[*reversed(years)],
        year=year,
        notice=notice.answer.get("notice"),
        trouble=notice.trouble,
        cash=holdings[CASH],
        certificate=certificate.answer.get("certificate"),
        history=list(reversed(history)),
        waiting=len(waiting),
        may_propose=may_propose(visit.rights),
        done=done_words(visit),
        banking_form=banking or visit.empty_form(),
        form=form or visit.empty_form(
            **{f"{TONNES}{name}": str(n) for name, n in context["proposed"].items() if n}
        ),
        **context,
    )


async def _notice(visit: Visit, year: int) -> Looked:
    account = account_of(visit.rights)
    return await look(
        visit, "registry", "obligation_notice", account=account, compliance_year=year
    )


def _figures(
    visit: Visit, year: int, notice: Looked, holdings: dict[str, Holding], today: int
) -> dict[str, Any]:
    """Return what the page computes of the notice, the holdings and the market's prices."""
    nothing: dict[str, Any] = {"need": None, "ways": [], "paying": {}, "proposed": {}}
    nothing |= {"standing": None, "ccer_price": "", "is_late": False}
    if not notice:
        return nothing
    noticed, standing = notice.answer["notice"], notice.answer["standing"]
    is_late = today > noticed["deadline"]
    paying = {
        name: held
        for name, held in sorted(holdings.items())
        if may_pay(RULES.vintages, name, year, in_arrears=is_late)
    }
    prices = {
        each["product"]: each["last"] or each["reference_price"]
        for each in visit.site.feed.products
        if may_pay(RULES.vintages, each["product"], year, in_arrears=is_late)
    }
    asked = Form(values={"ccer": visit.asked("ccer")}, texts=visit.text)
    ccer_price = asked.yuan("ccer", needed=False)
    need = need_of(
        payable=standing["payable"],
        offset_max=noticed["offset_max"],
        offset=standing["offset"],
        paying=paying,
    )
    return {
        "need": need,
        "ways": ways_of(need, prices, ccer_price),
        "paying": paying,
        "proposed": lines_proposed(need.payable, paying),
        "standing": standing,
        "ccer_price": visit.asked("ccer"),
        "is_late": is_late,
    }


async def _surrender(visit: Visit, form: Form) -> Response:
    year = form.whole("year")
    names = [name.removeprefix(TONNES) for name in form.values if name.startswith(TONNES)]
    given = {name: form.whole(f"{TONNES}{name}", needed=False) for name in names}
    tonnes = {name: amount for name, amount in given.items() if amount}
    if form.is_sound and not tonnes:
        form.refuse("", "obligation.no_tonnes")
    if form.is_sound:
        request = {
            "op": "surrender_apply",
            "account": account_of(visit.rights),
            "compliance_year": year,
            "tonnes": tonnes,
        }
        answer = await act(visit, form, "registry", request)
        if answer is not None:
            return done_see(visit, f"{PATH}?year={year}", answer)
    return await _page(visit, visit.again(form))


async def _bank(visit: Visit, form: Form) -> Response:
    year = form.whole("year")
    answer = await carryover_apply(visit, form, f"{PATH}?year={year}")
    return answer or await _page(visit, banking=visit.again(form))


async def certificate_file(visit: Visit) -> Response:
    """Answer with the certificate of a year as a PDF."""
    year = visit.part("year")
    if not (year.isascii() and year.isdigit() and len(year) == 4):
        raise HTTPException(404)
    found = await look(
        visit,
        "registry",
        "surrender_certificate",
        account=account_of(visit.rights),
        compliance_year=int(year),
    )
    if not found:
        return visit.show("refused.html", status=404, trouble=found.trouble)
    content = certificate_pdf(found.answer["certificate"], visit.text, visit.reading)
    name = f"certificate-{found.answer['certificate']['number']}.pdf"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/pdf", headers=headers)


PAGES = (
    Page(
        path=PATH,
        name="obligation",
        section="firm",
        show=obligation_show,
        acts={"/surrender": sent(_surrender), "/carryover": sent(_bank)},
        allowed=represents,
    ),
    Page(
        path="/obligation/{year}/certificate.pdf",
        name="obligation",
        section="firm",
        show=certificate_file,
        allowed=represents,
        in_menu=False,
    ),
)
