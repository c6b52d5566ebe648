"""An enterprise's account: what of it is active, by which form."""

from hashlib import sha256

from support.platform.platform_world import LI, PROOF, PROVINCE, ZHEJIANG
from support.refusing import refuses

FORM = b"form 2: the registry and trading"


def activate(world, part="registry", form=FORM):
    found = world.platform.enterprises.of("E1")
    world.platform.account_parts.activate(PROVINCE, found, part, sha256(form).hexdigest())


def test_a_part_is_activated_by_the_form_that_the_enterprise_brought(world):
    """CEA-ENT-13."""
    world.listed(2025)
    of_listed = world.platform.account_parts.of_listed
    assert of_listed(2025, ZHEJIANG) == [{"enterprise": "E1", "registry": 0, "voluntary": 0}]
    with refuses("EVIDENCE_UNKNOWN: evidence: expected a document that was brought"):
        activate(world)
    world.platform.evidence.bring(LI, world.platform.enterprises.of("E1"), "form-2.pdf", FORM)
    activate(world)
    assert world.platform.pages.enterprise("E1")["active"] == {"registry": 20260110}
    with refuses("PART_ACTIVE: part: expected one that is not active, got registry"):
        activate(world)
    activate(world, "voluntary", PROOF)
    (line,) = of_listed(2025, ZHEJIANG)
    assert line == {"enterprise": "E1", "registry": 20260110, "voluntary": 20260110}


def test_an_account_has_no_other_parts(world):
    """CEA-ENT-13."""
    with refuses("CHOICE_UNKNOWN: part: expected one of registry, voluntary, got 'bank'"):
        activate(world, "bank", PROOF)
