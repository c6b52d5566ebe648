"""The list of each year: who enters and leaves it, and what was published of it."""

from support.refusing import refuses

LEAVING = {"cause": "below_threshold", "decided_on": 20251201, "document": "list 2"}


def test_a_listed_enterprise_stands_on_its_years_list_only(world):
    """CEA-ENT-01."""
    world.listed(2025)
    listing = world.platform.listing
    enterprise = world.platform.enterprises.of("E1")
    assert listing.is_listed(2025, enterprise.enterprise_id)
    assert not listing.is_listed(2026, enterprise.enterprise_id)
    with refuses("LISTED_ALREADY: E1: .*list of 2025, got one that is listed already"):
        world.listed(2025)


def test_what_was_published_stays_until_it_is_published_again(world):
    """CEA-ENT-02, CEA-ENT-10."""
    world.listed(2025)
    listing = world.platform.listing
    assert listing.published(2025, 33) is None
    listing.publish(2025, 33)
    first = listing.published(2025, 33)
    assert first.decode().splitlines()[1].startswith("2025,33,3301,E1,")
    listing.leave(2025, "E1", **LEAVING)
    assert listing.published(2025, 33) == first
    listing.publish(2025, 33)
    assert b"E1" not in listing.published(2025, 33)
    with refuses("LISTED_ALREADY: .*not listed already"):
        listing.leave(2025, "E1", **LEAVING)


def test_an_enterprise_that_was_forgotten_enters_on_request(world):
    """CEA-ENT-11."""
    terms = {"tonnes": 30_000, "decided_on": 20250601, "document": "request 1"}
    world.platform.listing.enter(2025, "E1", cause="on_request", **terms)
    assert [line.tonnes for line in world.platform.listing.of_year(2025, 33)] == [30_000]
    with refuses("CHOICE_UNKNOWN: cause: expected one of over_threshold, .*got 'whim'"):
        world.platform.listing.enter(2026, "E1", cause="whim", **terms)
    with refuses("AMOUNT_UNSOUND: tonnes: expected a whole number from 0 to .*, got -1"):
        world.platform.listing.enter(2026, "E1", cause="on_request", **terms | {"tonnes": -1})
    with refuses("DATE_UNSOUND: list_year: expected a year from 2019 to 2099, got 25"):
        world.platform.listing.enter(25, "E1", cause="on_request", **terms)
