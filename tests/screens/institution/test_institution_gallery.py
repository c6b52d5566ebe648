"""Firms' and officials' pages in both languages, on phone and desktop, light and dark."""

from collections.abc import Iterator
from itertools import product

import pytest
from playwright.sync_api import expect

from support.screens.chromium import DESKTOP, PHONE, picture, violations
from support.screens.institutions import YEAR, ZHEJIANG, Institutions, institutions_open
from support.screens.reader import at_console
from support.screens.served import Served

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]

SIZES = {"desktop": DESKTOP, "phone": PHONE}
PAGES = {
    "li": ("account", "obligation", "filings", "filings/202411", "filings/202411/E1-1"),
    "wang": ("approvals", "account"),
    "sun": (
        *("entities?year=2025", "entities/E1", f"reviews?year={YEAR}"),
        *(f"allocations?year={YEAR}", "allocations/1", f"compliance?year={YEAR}"),
        *("cases", "cases/1", "approvals"),
    ),
    "zhou": (f"allocations?year={YEAR}", "reviews", "cases?province=33"),
}


@pytest.fixture(scope="module")
def nation(tmp_path_factory) -> Iterator[Institutions]:
    """The institutions after a distribution: something is owed, something waits, a case is open."""
    with institutions_open(tmp_path_factory.mktemp("nation")) as institutions:
        institutions.filed()
        institutions.verified()
        institutions.given()
        asked = {"account": "P001"}
        institutions.ask("registry", "li", "transfer_in", **asked, product="CEA24", amount=500)
        institutions.ask("registry", "li", "surrender_apply", **asked, compliance_year=YEAR,
                         tonnes={"CEA24": 100_000})
        case = institutions.ask(
            *("platform", "sun", "case_open"),
            province=ZHEJIANG,
            offence="no_report",
            committed_on=20250331,
            document="浙环罚立 1",
            enterprise="E2",
            year=2024,
        )["case"]
        noticed = {"step": "notice", "document": "告知 1"}
        institutions.ask("platform", "sun", "case_step", case=case, **noticed)
        yield institutions


@pytest.mark.parametrize("who", PAGES)
def test_no_page_is_wrong_in_any_language_at_any_size_in_any_light(browser, nation, who):
    found = {}
    with Served.console(nation.data, who) as served:
        for language, size, theme in product(("zh", "en"), SIZES, ("light", "dark")):
            options = {"viewport": SIZES[size], "color_scheme": theme}
            with at_console(browser, served, language, **options) as page:
                for path in PAGES[who]:
                    page.goto(f"{served.address}/{path}")
                    expect(page.locator("main h1")).to_be_visible()
                    shown = path.partition("?")[0].replace("/", "-")
                    name = f"institution-{who}-{shown}-{language}-{size}-{theme}"
                    picture(page, name)
                    wrong = violations(page)
                    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                    if width > 0:
                        wrong.append(f"{width} pixels wider than the window")
                    if wrong:
                        found[name] = wrong
    assert found == {}
