"""Firms and officials at their pages, by keyboard alone, over real daemons; two persons each."""

import re

import pytest
from playwright.sync_api import expect

from support.screens.institutions import YEAR
from support.screens.reader import GONE, TRIES, at_console, looked_at, to
from support.screens.served import Served

pytestmark = pytest.mark.e2e

DECEMBER = ("125000.00", "0.5432", "20.512", "99", "300000", "0", "640.00")


def typed_into(page, selector, words):
    page.locator(selector).focus()
    page.keyboard.press("Control+a")
    page.keyboard.type(words)


def approved(page):
    """Approve the one proposal that waits, as a second person."""
    to(page, "/approvals")
    page.locator("[id$=-approve]").press("Enter")
    expect(page.locator(".done")).to_be_visible()


def test_a_transfer_takes_two_persons_and_is_proposed_once(browser, institutions):
    data = institutions.data
    with (
        Served.console(data, "li") as of_li,
        Served.console(data, "wang") as of_wang,
        at_console(browser, of_li, "zh") as page,
        at_console(browser, of_wang, "zh") as second,
    ):
        to(second, "/approvals")
        expect(second.locator(".proposal")).to_have_count(0)
        to(page, "/account")
        page.locator("#transfer-asset").select_option("CEA24")
        typed_into(page, "#transfer-amount", "12.5")
        page.keyboard.press("Enter")
        expect(page.locator("#transfer-amount-trouble")).to_contain_text("请填写大于零的整数")
        typed_into(page, "#transfer-amount", "999,999")
        page.keyboard.press("Enter")
        expect(page.locator("#transfer .refusal")).to_contain_text("所在账户的配额不足")
        expect(page.locator("#transfer .refusal .remedy")).to_contain_text("请先转入")
        sent = page.evaluate(
            """async () => {
              const form = new FormData(document.getElementById("transfer"));
              form.set("asset", "CEA24"); form.set("amount", "1500");
              const send = () => fetch("/account/transfer", {
                method: "POST", body: new URLSearchParams(form),
              }).then((answer) => answer.url);
              return [...await Promise.all([send(), send()]), await send()];
            }"""
        )
        assert len(set(sent)) == 1 and "proposal=" in sent[0]
        to(page, "/approvals")
        expect(page.locator(".proposal")).to_have_count(1)
        expect(page.locator("[id$=-approve]")).to_have_count(0)
        # It came to the second person's page by itself.
        expect(second.locator(".proposal")).to_contain_text("1,500")
        looked_at(second, "approvals-zh")
        approved(second)
        expect(second.locator(".proposal")).to_have_count(0)
        to(page, "/account")
        rows = page.locator("tr", has_text="1,500")
        expect(rows.first).to_be_visible()
        looked_at(page, "account-zh")


def test_a_firm_goes_from_filing_to_certificate_with_two_persons(browser, institutions, tmp_path):
    data = institutions.data
    with (
        Served.console(data, "li") as of_li,
        Served.console(data, "wang") as of_wang,
        at_console(browser, of_li, "zh") as page,
        at_console(browser, of_wang, "zh") as second,
    ):
        _december_entered(page)
        to(second, "/filings")
        second.locator('a[href="/filings/202412"]').last.press("Enter")
        second.locator("#file-send").press("Enter")
        expect(second.locator(".done")).to_have_text("已报送")
        institutions.passed("month", 202412)
        to(page, "/filings")
        page.get_by_role("button", name="生成年度报告").press("Enter")
        expect(page.locator(".done")).to_contain_text("已存为草稿")
        institutions.ask("platform", "zhao", "report_sign", enterprise="E1", year=YEAR)
        institutions.verified()
        institutions.given()
        to(page, "/obligation")
        expect(page.locator(".figure.large").first).to_contain_text("2,957,724")
        expect(page.locator("table").first).to_contain_text("30,124")
        looked_at(page, "obligation-short-zh")
        institutions.offset(50_124)
        _surrendered(page)
        approved(second)
        institutions.retired()
        to(page, "/obligation")
        expect(page.locator(".mark.good").nth(1)).to_contain_text("已取得履约证明")
        looked_at(page, "obligation-zh")
        with page.expect_download() as download:
            page.locator("#certificate").press("Enter")
        kept = tmp_path / "certificate.pdf"
        download.value.save_as(kept)
        assert kept.read_bytes().startswith(b"%PDF-") and len(kept.read_bytes()) > 1_500


def _december_entered(page):
    """Type a month, with a wrong unit first: the row says why, and nothing was taken."""
    to(page, "/filings")
    page.locator('a[href="/filings/202412"]').last.press("Enter")
    page.locator('a[href="/filings/202412/E1-1"]').press("Enter")
    for row, value in enumerate(DECEMBER):
        typed_into(page, f"#entry-value-{row}", value)
        if row != DECEMBER.index("99"):
            page.locator(f'[name="evidence.{row}"]').select_option(index=1)
    typed_into(page, "#entry-measure-0", "kg")
    page.keyboard.press("Enter")
    expect(page.locator("#entry-0-trouble")).to_contain_text("此项不合要求")
    expect(page.locator("#entry-0-trouble")).to_contain_text("expected in t, got in kg")
    looked_at(page, "month-entry-zh")
    typed_into(page, "#entry-measure-0", "t")
    page.keyboard.press("Enter")
    expect(page.locator(".done")).to_contain_text("已存为草稿")
    expect(page.locator(".figure.large")).to_contain_text("246,477.00")
    looked_at(page, "month-zh")


def _surrendered(page):
    to(page, "/obligation")
    expect(page.locator("#surrender-tonnes_CEA24")).to_have_value("2907600")
    typed_into(page, "#surrender-tonnes_CEA24", "2907601")
    page.keyboard.press("Enter")
    expect(page.locator("#surrender .refusal")).to_contain_text("超过尚需清缴")
    typed_into(page, "#surrender-tonnes_CEA24", "2907600")
    page.keyboard.press("Enter")
    expect(page.locator(".done")).to_contain_text("等待第二人同意")


@pytest.mark.nightly
def test_while_the_registry_is_away_no_number_is_shown_and_pages_come_back(
    browser, institutions
):
    with (
        Served.console(institutions.data, "li") as of_li,
        Served.console(institutions.data, "an") as of_an,
        at_console(browser, of_li, "en", expected=GONE) as page,
        at_console(browser, of_an, "en", expected=GONE) as operator,
    ):
        to(page, "/account")
        expect(page.locator("table").first).to_contain_text("80,000")
        to(operator, "/control")
        registry = operator.locator(".daemon", has_text="Registry")
        expect(registry).to_contain_text("Runs")
        institutions.kill("registry")
        expect(registry).to_contain_text("Does not answer", timeout=20_000)
        expect(registry).to_contain_text("said before it fell silent")
        for path in ("account", "obligation", "approvals"):
            page.goto(f"{of_li.address}/{path}", timeout=60_000)
            expect(page.locator(".refusal").first).to_contain_text("does not answer")
            assert page.locator(".figure, td").count() == 0
        operator.goto(f"{of_an.address}/control/settlement", timeout=60_000)
        assert operator.locator(".figure, td").count() == 0
        page.goto(f"{of_li.address}/account", timeout=60_000)
        institutions.start_registry()
        expect(page.locator("table").first).to_contain_text("80,000", timeout=60_000)
        expect(operator.locator(".figure").first).to_be_visible(timeout=60_000)


@pytest.mark.nightly
def test_cash_comes_from_the_bank_and_goes_back_by_firm_second_person_and_operator(
    browser, institutions
):
    data = institutions.data
    institutions.paid_in("P001", 1_000_000_00)
    with (
        Served.console(data, "li") as of_li,
        Served.console(data, "wang") as of_wang,
        Served.console(data, "an") as of_an,
        at_console(browser, of_li, "zh") as page,
        at_console(browser, of_wang, "zh") as second,
        at_console(browser, of_an, "en") as operator,
    ):
        _statement_fetched(operator)
        to(page, "/account")
        figures = page.locator(".figure")
        _reloaded_until(page, figures.first, "1,000,000.00")
        typed_into(page, "#pay-out-cash", "2000000")
        typed_into(page, "#pay-out-creditor", "CNBANK0001")
        page.keyboard.press("Enter")
        expect(page.locator("#pay-out .refusal").first).to_be_visible()
        typed_into(page, "#pay-out-cash", "250000.50")
        page.keyboard.press("Enter")
        expect(page.locator(".done")).to_contain_text("第二人")
        approved(second)
        _reloaded_until(page, figures.first, "749,999.50")
        expect(figures.filter(has_text="银行")).to_contain_text("250,000.50")
        to(operator, "/control/settlement")
        operator.get_by_role("button", name="Make the batches").press("Enter")
        expect(operator.locator(".done")).to_contain_text("batches are made")
        _statement_fetched(operator)
        _reloaded_until(page, figures.filter(has_text="银行"), "0.00")
        row = operator.locator("tr", has=operator.get_by_role("rowheader", name="P001"))
        _reloaded_until(operator, row.first, "749,999.50")
        expect(row.locator(".mark.good").first).to_contain_text("0.00")
        looked_at(operator, "control-settlement-bank-en")


def _statement_fetched(page):
    to(page, "/control/settlement")
    page.get_by_role("button", name="Fetch the next").press("Enter")
    expect(page.locator(".done")).to_contain_text("statement was asked for")


def _reloaded_until(page, found, words):
    """What is no live part of a page is looked at again, as a person does."""
    page.goto(page.url.partition("?")[0])
    for _ in range(TRIES):
        if found.count() and words in found.first.text_content():
            return
        page.wait_for_timeout(500)
        page.reload()
    expect(found.first).to_contain_text(words)


def test_a_province_approves_an_allocation(browser, institutions):
    institutions.filed()
    institutions.verified()
    data = institutions.data
    with (
        Served.console(data, "sun") as of_sun,
        Served.console(data, "qian") as of_qian,
        at_console(browser, of_sun, "en") as page,
        at_console(browser, of_qian, "en") as second,
    ):
        to(page, "/allocations")
        page.locator("#compute-send").press("Enter")
        expect(page.locator("h1")).to_have_text("Allocation 1")
        expect(page.locator("tfoot")).to_contain_text("8,542,800")
        looked_at(page, "allocation-en")
        expect(page.locator("#act-approve")).to_have_count(0)
        second.goto(f"{of_qian.address}/allocations/1")
        second.locator("#act-approve").press("Enter")
        expect(second.locator(".done")).to_have_text("Approved")
        page.goto(f"{of_sun.address}/allocations/1")
        page.locator("#act-distribute").press("Enter")
        expect(page.locator(".done")).to_contain_text("a second person")
        approved(second)
        page.goto(f"{of_sun.address}/allocations/1")
        expect(page.locator(".bar .mark")).to_have_text("Distributed")
        page.locator("#act-obligations").press("Enter")
        expect(page.locator(".done")).to_have_text(re.compile("Proposed as number"))
        approved(second)
        institutions.obliged()
        page.goto(f"{of_sun.address}/compliance?year={YEAR}")
        expect(page.locator("tr.is-current").first).to_contain_text("Zhejiang")
        expect(page.locator("tr.is-current").first).to_contain_text("8,873,172")
        looked_at(page, "compliance-en")
