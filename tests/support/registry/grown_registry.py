"""A registry of 10,000 entities and years of history, in bulk: for tests of what looks cost.

Its rows need not agree with each other as `reconcile` wants it; each is one that could be.
"""

import msgspec

from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, EntryKind
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.compliance.certificates import Certificate
from cea_exchange.registry.distribution.plan import Line, Plan, Planned
from cea_exchange.registry.participants.public_notices import notice_publish
from support.registry.ledger_by_hand import guards_off, guards_on

ENTITIES = 10_000
PRODUCTS = ("CEA", "CEA21-22", "CEA23", "CEA24", "CEA25")
YEARS = (2021, 2022, 2023, 2024)
TRADES, TRADES_A_DAY = 120_000, 2_000
WORDS = "某" * 200
"""As long as an entity's name, an order's number, a reason may be."""


def days(count):
    """So many days, ascending, yyyymmdd."""
    return [20210101 + 10_000 * (n // 240) + 100 * (n // 20 % 12) + n % 20 for n in range(count)]


def grow(registry):
    """Fill an empty registry."""
    registry.bank.setting = BankSetting()
    for product in PRODUCTS:
        registry.product_declare(product, 9_000)
    with registry.transaction():
        # Nor are they logged, which takes as long again as to write them.
        guards_off(registry.store)
        for step in (_accounts, _persons, _ledger, _trades, _compliance, _proposals, _statements,
                     _courts, _distribution, _bank):  # fmt: skip
            step(registry.store)
        for number in range(3_000):
            notice_publish(registry.store, 20240101 + number % 28, "deduction",
                           {"entity": WORDS, "order": WORDS, "tonnes": number})  # fmt: skip
        guards_on(registry.store)
    registry.store._numbers_read()


def account(index):
    return f"P{index:05}-{'x' * 20}"


def _accounts(store):
    store.insert("accounts", (
        (index, account(index), "", "entity", f"{index}{WORDS[:190]}", None, 11 + index % 2 * 20,
         "open", 0, "", "", "power")
        for index in range(ENTITIES)
    ))  # fmt: skip
    changes = ((1 + n, 0 if n < 5_000 else n, n, 20240101, "bank set", WORDS, WORDS, "an", WORDS)
               for n in range(9_000))  # fmt: skip
    store.insert("account_changes", changes)


def _persons(store):
    store.insert("persons", (
        (f"{index:040}", f"{WORDS[:60]}{index}", "initiator", f"account {account(index % 5_000)}",
         1, 0)
        for index in range(2 * ENTITIES)
    ))  # fmt: skip


def _ledger(store):
    """An entry and two postings for each trade; entries' days ascend."""
    last = store.entry_last
    dates = days(TRADES // TRADES_A_DAY)
    store.insert("entries", (
        (last + 1 + n, EntryKind.TRADE, 1 + n, dates[n // TRADES_A_DAY], 0, 0, 0, 0, "", 0)
        for n in range(TRADES)
    ))  # fmt: skip
    starts = ((last + 1 + n * TRADES_A_DAY, date) for n, date in enumerate(dates))
    store.insert("entry_days", starts)
    trading = int(Compartment.TRADING)
    store.insert("postings", (
        (8 * (last + 1 + n) + leg, (n + leg) % ENTITIES, CASH_ASSET, trading, 5 if leg else -5)
        for n in range(TRADES) for leg in (0, 1)
    ))  # fmt: skip
    store.insert("statement_days", (
        (date, last + 1 + n * TRADES_A_DAY, last + (n + 1) * TRADES_A_DAY, "issued", 0, 1, 0, 2)
        for n, date in enumerate(dates)
    ))  # fmt: skip
    for entry in range(last + 32_768, last + TRADES, 32_768):
        store.insert("snapshots", [(entry, 0, 20240101)])
        store.insert("snapshot_balances", (
            (entry, index, asset, trading, 5) for index in range(ENTITIES) for asset in range(3)
        ))  # fmt: skip
    item = store.one("SELECT item FROM feed ORDER BY transfer_seq LIMIT 1")
    store.insert("feed", ((10_000_000 + n, item) for n in range(60_000)))
    store.insert("transfers", (
        (10_000_000 + n, "in", n % ENTITIES, 0, 5, "completed", 0, 1) for n in range(60_000)
    ))  # fmt: skip


def _trades(store):
    dates = days(TRADES // TRADES_A_DAY)
    store.insert("trades", (
        (1 + n, 1 + n, dates[n // TRADES_A_DAY], 1, (n + 1) % ENTITIES, n % ENTITIES, n % 5, 100, 5,
         500, 0, 0, "failed" if n % 40 == 0 else "settled", WORDS if n % 20 == 0 else "", 1 + n)
        for n in range(TRADES)
    ))  # fmt: skip
    state = ("open", "cured", "busted", "recovered")
    store.insert("defaults", (
        (1 + n, 1 + 20 * n, n % ENTITIES, CASH_ASSET, 5, WORDS, state[n % 4], 20240101, 0, 0, 0)
        for n in range(6_000)
    ))  # fmt: skip
    store.insert("default_acts", (
        (1 + n, 1 if n < 3_000 else 1 + n % 6_000, 20240101, "noticed", 0, 0, WORDS)
        for n in range(20_000)
    ))  # fmt: skip
    bust = TRADES + 1
    store.insert("busts", [(bust, 1, 9)])
    store.insert("claims", ((1 + n, bust, 1 + n, n, n + 1, 0, 5) for n in range(8_000)))
    store.insert("claims_paid", ((1 + n, 1 + n) for n in range(0, 8_000, 2)))


def _compliance(store):
    store.insert("obligation_files", ((1 + n, "f.csv", str(n), y, "", 20240101)
                                      for n, y in enumerate(YEARS)))  # fmt: skip
    store.insert("obligation_entries", (
        (year, index, 1 + n, 1_000, 1_000, 0)
        for n, year in enumerate(YEARS) for index in range(ENTITIES)
    ))  # fmt: skip
    states = ("retired", "retired", "retired", "rejected", "applied")
    store.insert("surrenders", (
        (1 + n, YEARS[n % 4], n // 4 % ENTITIES, n // 4 % ENTITIES, WORDS if n % 9 == 0 else "",
         20240102, states[n % 5], 11, 20240103, "", 20240104)
        for n in range(60_000)
    ))  # fmt: skip
    store.insert("surrender_lines", (
        (1 + n, asset, 2020, 100) for n in range(60_000) for asset in (0, 1)
    ))  # fmt: skip
    store.insert("offset_proofs", (
        (f"CCER-{n}", YEARS[n % 4], n % ENTITIES, "project", 10 * n, 10 * n + 9, 10, 20200101,
         20200102, "no", 20190101, 20190102, 20190101, 20190101, 20240101, 20240101, 0, "")
        for n in range(20_000)
    ))  # fmt: skip
    certificate = Certificate(
        number="C-1", account=account(0), entity=WORDS, credit_code=None, compliance_year=2024,
        obligation_tonnes=5, surrendered={"CEA24": 5}, offset=0, deadline=20251231,
        completed_on=20250101, issued_on=20250101,
    )  # fmt: skip
    content = msgspec.json.encode(certificate).decode()
    store.insert("certificates", [(1, 2024, 0, 20240101, content, 0, "")])
    store.insert("carryover_notices", (
        (index, 5, 5, 5, 0, 5, "", 20260101) for index in range(ENTITIES)
    ))  # fmt: skip


def _proposals(store):
    request = msgspec.msgpack.encode({"op": "account_rename", "account": account(0), "why": WORDS})
    store.insert("proposals", (
        (1 + n, "account_rename", request, "0" * 64, "an", f"{n % 500:040}", "registry", 1,
         2**62 if n % 50 == 0 else 2)
        for n in range(30_000)
    ))  # fmt: skip
    answer = msgspec.msgpack.encode({"account_index": 5})
    store.insert("acts", (
        (1 + n, n, 20240101, "account_rename", "an", "k", "bo", "l", n, "", "", 0, request, answer)
        for n in range(30_000)
    ))  # fmt: skip
    file = msgspec.msgpack.encode({"op": "obligation_take", "file": "f", "content": bytes(1 << 20)})
    store.insert("acts", (
        (40_000 + n, n, 20240101, "obligation_take", "an", "k", "", "", 0, "", "", 0, file, answer)
        for n in range(60)
    ))  # fmt: skip


def _statements(store):
    dates, content = days(TRADES // TRADES_A_DAY), "异" * 2_000
    store.insert("objections", (
        (1 + n, n // 20, dates[0], content, "resolved" if n % 2 else "open",
         content if n % 2 else "", 20240101, 0)
        for n in range(4_000)
    ))  # fmt: skip


def _courts(store):
    words, states = "执" * 128, ("asked", "in_force", "released", "expired")
    store.insert("freezes", (
        (1 + n, n % ENTITIES, 0, 0, 5, 0, 0, 0, states[n % 4], words, words, 20240101, 20990101)
        for n in range(30_000)
    ))  # fmt: skip
    store.insert("dispositions", (
        (1 + n, "succession", n % ENTITIES, (n + 1) % ENTITIES, 0, 5, WORDS,
         "refused" if n % 500 else "applied", WORDS, "", 20240101, 0)
        for n in range(30_000)
    ))  # fmt: skip


def _distribution(store):
    deductions = ((1 + n, 0 if n < 3_000 else n % ENTITIES, f"{n}-{WORDS[:60]}", "other", 0, 50,
                   20240101, 20240101) for n in range(20_000))  # fmt: skip
    store.insert("deductions", deductions)
    store.insert("kept_changes", (
        (1 + n, 11, n % ENTITIES, n % 5, 5, "distribution 1", 20240101) for n in range(40_000)
    ))  # fmt: skip
    figures = {
        name: 1
        for name in Line.__struct_fields__
        if name not in ("account", "entity", "province", "product", "stage", "at_risk")
    }
    lines = (_line(index, figures) for index in range(ENTITIES))
    planned = tuple(Planned(account_index=index, line=line, taken=())
                    for index, line in enumerate(lines))  # fmt: skip
    plan = Plan(compliance_year=2024, product="CEA24", stage="final", planned=planned,
                warnings=(WORDS,) * 300)  # fmt: skip
    store.insert("allocation_previews", [
        (1, "all.xlsx", "0" * 64, "utf-8", b"", msgspec.msgpack.encode(plan), 20240101)
    ])  # fmt: skip


def _line(index, figures):
    shown = {"account": account(index), "entity": WORDS, "province": 11, "product": "CEA24",
            "stage": "final", "at_risk": False}  # fmt: skip
    fields = {name: shown.get(name, figures.get(name)) for name in Line.__struct_fields__}
    return Line(**fields)


def _bank(store):
    store.insert("bank_accounts", ((account(index), 5) for index in range(ENTITIES)))
    statements = 2_000
    store.insert("bank_statements", (
        (f"S-{1 + n}", 20240101 + n // 20, 1 + n % 20, b"") for n in range(statements)
    ))  # fmt: skip
    store.insert("bank_entries", (
        (f"R-{n}", f"S-{1 + n % statements}", account(n % ENTITIES), 5, "", "", WORDS[:100], "")
        for n in range(100_000)
    ))  # fmt: skip
