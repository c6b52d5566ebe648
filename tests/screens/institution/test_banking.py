"""A firm's page about what it may carry over, over a real registry in its own process."""

import pytest
from starlette.testclient import TestClient

from cea_exchange.control_plane.client import NotDone
from cea_exchange.institution.checks import ActError
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.control.admin import REGISTRY_REQUESTS
from cea_exchange.screens.access import Rights, Seat
from cea_exchange.screens.application import application
from cea_exchange.screens.console import console_site
from support.registry.compliance_world import BEIJING, World
from support.screens.console_pages import Forms

OF_THE_SERVICE = {
    "seat": {"time": "2026-02-02T09:00:00+08:00"},
    "proposals": {"proposals": [], "next": None},
}
"""What the daemon itself answers, whichever registry it has."""


class Refused(NotDone):
    """A refusal as it comes over the wire."""

    def __init__(self, error):
        super().__init__(str(error))
        self.code = error.code


class InProcess:
    """The registry's requests, carried out here instead of behind a socket."""

    def __init__(self, registry, keys):
        self.registry, self.keys = registry, keys

    def folder(self, _system):
        return None

    async def ask(self, _system, request, **_):
        op = request["op"]
        if op in OF_THE_SERVICE:
            return OF_THE_SERVICE[op]
        terms = {name: value for name, value in request.items() if name not in ("op", "request_id")}
        try:
            return REGISTRY_REQUESTS.by_op[op](**terms).act(self.registry)
        except ActError as error:
            raise Refused(error) from error


@pytest.fixture
def world(tmp_path):
    """P1 holds closed vintages, has paid 2024, and was given notice unless a test says not yet."""
    with World(tmp_path / "registry", None, day=20231201) as world:
        world.products("CEA", "CEA23", "CEA24", "CEA25")
        world.entity("P1", BEIJING, CEA23=60_000, CEA24=100)
        world.clock.day = 20251105
        world.owe(2024, ("P1", 100))
        number = world.registry.surrender.apply("P1", 2024, {"CEA24": 100})
        world.registry.surrender.accept(number, BEIJING)
        world.registry.surrender.retire(number)
        world.clock.day = 20260202
        yield world


@pytest.fixture
def page(world, tmp_path):
    CurveKeys.new().save(tmp_path / "keys", "li")
    site = console_site([tmp_path], tmp_path / "keys" / "li")
    seat = Seat("li", "initiator", "account P1")
    site.unknown, site.rights = set(), Rights(seats=(("registry", seat),))
    site.systems = InProcess(world.registry, CurveKeys.load(tmp_path / "keys", "li"))
    return TestClient(application(site), base_url="http://127.0.0.1", follow_redirects=False)


def filled(page, tonnes):
    text = page.get("/obligation?year=2024&lang=en").text
    fields = dict(Forms(text).forms)["/obligation/carryover"]
    return {name: value for name, (_, value) in fields.items()} | {"carried_CEA23": tonnes}


def test_what_may_be_carried_over_is_shown_and_applied_for_once(page, world):
    """CEA-CRY-01, CEA-CRY-05."""
    waits = page.get("/obligation?year=2024&lang=en").text
    assert "60,000 t are of 2024 and earlier" in waits and "carried_CEA23" not in waits
    world.registry.carryover.give_notice()
    for language, words in (("zh", "最大可结转量"), ("en", "Carried over into CEA25")):
        shown = page.get(f"/obligation?year=2024&lang={language}").text
        assert words in shown and "10,000" in shown
    form = filled(page, "9000")
    headers = {"origin": "http://127.0.0.1", "x-form-mark": form["form_mark"]}
    for _ in range(2):
        assert page.post("/obligation/carryover", data=form, headers=headers).status_code == 303
    assert world.registry.store.all(
        "SELECT account_index, state FROM carryovers"
    ) == [(world.registry.account("P1"), "applied")]


def test_more_than_the_limit_is_refused_beside_the_form_with_its_remedy(page, world):
    world.registry.carryover.give_notice()
    form = filled(page, "10001")
    headers = {"origin": "http://127.0.0.1", "x-form-mark": form["form_mark"]}
    refused = page.post("/obligation/carryover?lang=zh", data=form, headers=headers)
    assert refused.status_code == 422 and 'id="carryover-trouble"' in refused.text
    assert not world.registry.store.one("SELECT count(*) FROM carryovers")
    nothing = page.post("/obligation/carryover", data=filled(page, ""), headers=headers)
    assert nothing.status_code == 422
