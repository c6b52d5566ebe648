"""Whatever the CCER registry is asked, with whatever values: done, or refused by who knows why."""

from cea_exchange.ccer.control.admin import CCER_REQUESTS
from cea_exchange.ccer.control.service import CcerService
from support.ccer.programme import HASH, DayClock, registry_open
from support.ccer.programme_service import PERSONS, in_process
from support.institution.edge_requests import broken_of

SOUND = {
    "project": ("WIND-1",),
    "account": ("SEAWIND", "A"),
    "to": ("A",),
    "instrument": ("WIND-1-2022",),
    "document": (HASH,),
    **dict.fromkeys(("vvb", "validator"), ("CQC",)),
    "verifier": ("CCSC",),
    **dict.fromkeys(("tonnes", "batch_number"), (1,)),
    "why": ("words",),
}


def test_every_request_is_done_or_refused(tmp_path):
    clock = DayClock()
    keys = {who: chr(65 + place) * 40 for place, who in enumerate(PERSONS)}
    of_role = {role: keys[who] for who, (_, role, _) in reversed(PERSONS.items())}
    with registry_open(tmp_path, clock) as ccer:
        service = CcerService(ccer, proposal_s=10_000_000)
        staff = in_process(service, clock, keys)
        staff.accounts()
        staff.project_registered()
        staff.batch_issued({"2022": 10_000})
        staff.cancelled(100)
        broken, done = broken_of(service, CCER_REQUESTS, SOUND, of_role)
    assert broken == []
    assert done > 2_000
