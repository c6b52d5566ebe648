"""What a firm may bank: closed vintages carried over into the next one, on notice.

Rules: CEA-CRY-01 to CEA-CRY-05.
"""

from typing import Any

from starlette.responses import Response

from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.screens.firm.holder import account_of
from cea_exchange.screens.firm.holdings import Holding
from cea_exchange.screens.institution.asking import act, done_see, look
from cea_exchange.screens.serving.forms import Form
from cea_exchange.screens.visit import Visit

CARRIED = "carried_"
RULES = ComplianceRules.load()


async def banking_of(visit: Visit, holdings: dict[str, Holding]) -> dict[str, Any]:
    """Return what the page says of carrying over: the notice or why there is none, what is held."""
    found = await look(visit, "registry", "carryover_notice", account=account_of(visit.rights))
    is_awaited = found.trouble is not None and found.trouble.code == (
        RegistryRefusal.NOTICE_MISSING.name
    )
    return {
        "carryover": found.answer.get("notice"),
        "carryover_trouble": None if is_awaited else found.trouble,
        "closed": {
            name: held
            for name, held in sorted(holdings.items())
            if is_closed(name) and held.total > 0
        },
        "carried_into": RULES.vintages.product_of(RULES.carryover.target_vintage.value),
    }


def is_closed(product: str) -> bool:
    """Tell whether a product's vintage pays for later years by being carried over only."""
    vintage = RULES.vintages.of_product(product)
    return vintage is not None and vintage <= RULES.carryover.last_vintage.value


async def carryover_apply(visit: Visit, form: Form, path: str) -> Response | None:
    """Apply to carry over what the form says; None where it is refused, with why in the form."""
    names = [name.removeprefix(CARRIED) for name in form.values if name.startswith(CARRIED)]
    given = {name: form.whole(f"{CARRIED}{name}", needed=False) for name in names}
    tonnes = {name: amount for name, amount in given.items() if amount}
    if form.is_sound and not tonnes:
        form.refuse("", "obligation.no_tonnes")
    if not form.is_sound:
        return None
    account = account_of(visit.rights)
    request = {"op": "carryover_apply", "account": account, "tonnes": tonnes}
    answer = await act(visit, form, "registry", request)
    return None if answer is None else done_see(visit, path, answer)
