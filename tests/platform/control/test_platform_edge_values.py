"""Whatever the platform is asked, with whatever values: done, or refused by who knows why."""

import pytest

from cea_exchange.platform.control.admin import PLATFORM_REQUESTS
from cea_exchange.platform.control.service import PlatformService
from support.institution.edge_requests import broken_of
from support.platform.platform_world import coal_month, given_2024, verified_2024

pytestmark = pytest.mark.slow

PERSONS = {
    "preparer": "enterprise E1",
    "reviewer": "enterprise E1",
    "signatory": "enterprise E1",
    "verifier": "firm V1",
    "city": "city 3301",
    "province": "province 33",
    "authority": "authority",
    "operator": "platform",
}
DOCUMENTS = ("notice 1", "ab" * 32)


@pytest.mark.postgres_at_night
def test_every_request_is_done_or_refused(world):
    verified_2024(world)
    given_2024(world, "final", is_verified=True)
    platform = world.platform
    keys = {role: chr(65 + place) * 40 for place, role in enumerate(PERSONS)}
    for role, body in PERSONS.items():
        platform.persons.enter(f"One {role}", keys[role], role, body)
    service = PlatformService(platform, proposal_s=100)
    sound = {
        "enterprise": ("E1",),
        "unit": ("E1-1",),
        "firm": ("V1",),
        "province": (33,),
        "city": (3301,),
        **dict.fromkeys(("year", "compliance_year"), (2024,)),
        "list_year": (2025,),
        "month": (202507,),
        "period": (202507, 202512, 2024),
        "kind": ("month", "report"),
        "sector": ("power",),
        **dict.fromkeys(("document", "sha256"), DOCUMENTS),
        "why": ("words",),
        "file": ("july.csv",),
        "content": (world.month_file(*coal_month(202508)).data,),
        **dict.fromkeys(("first", "count"), (1,)),
    }
    broken, done = broken_of(service, PLATFORM_REQUESTS, sound, keys)
    assert broken == []
    assert done > 2_000
