"""Whatever is asked, with whatever values: done, or refused by who knows why; never by accident.

Every request there is, and every act of the services as a library, is asked with the values at
which numbers, days and texts end, one field after the other and at random. An answer that only the
log explains is a fault, and so is an error of the library that is no `ActError`.
"""

import inspect
import random
import typing
from contextlib import suppress
from itertools import product
from types import UnionType

import msgspec
import pytest

from cea_exchange.institution.checks import ActError
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.control.admin import MAY, REGISTRY_REQUESTS, Stop
from cea_exchange.registry.files import SourceFile
from support.institution.edge_requests import (
    IDS,
    INTS,
    TEXTS,
    EdgeRequests,
    TakenBack,
    broken_by,
)
from support.registry.allocation_files import allocation_file
from support.registry.compliance_world import (
    BEIJING,
    ORDER,
    World,
    obligation_file,
    proof,
    proof_file,
)
from support.registry.service_callers import Staff, key_of

pytestmark = pytest.mark.slow

DAY = 20251101
SOUND = {
    "account": ("P1", "P2"),
    "into": ("P2",),
    "to": ("P2",),
    "giver": ("P1", "P2", None),
    "product": ("CEA24",),
    "province": (BEIJING,),
    "compliance_year": (2024,),
    "business_date": (DAY,),
    "decided_on": (DAY,),
    "until": (20271231,),
    "deadline": (20251231,),
    "tonnes": (1, {"CEA24": 1}),
    "amount": (1, None),
    "cash": (1,),
    "file": ("a.csv",),
    **dict.fromkeys(("as_of", "as_of_date", "as_of_settlement"), (None,)),
    **dict.fromkeys(("first", "after", "since", "number", "at_risk"), (1,)),
    "count": (5,),
    "key": (key_of("new"),),
    "role": ("trader", "approver"),
    "operator_index": (0,),
    "credit_code": ("91330100799655058B",),
    "unit": (None,),
    "encoding": ("utf-8",),
    **dict.fromkeys(("why", "order", "court", "document", "purpose"), ("words",)),
    **dict.fromkeys(("bank", "creditor"), ("words",)),
    **dict.fromkeys(("bank_account", "entity", "answer", "content"), ("62-1",)),
}


@pytest.fixture
def world(tmp_path):
    """A registry in which most ids of 1 stand for something."""
    with World(tmp_path, day=DAY) as world:
        registry = world.registry
        world.products("CEA23", "CEA24", "CEA25")
        for name in ("P1", "P2", "P3"):
            world.entity(name, BEIJING, CEA24=1_000, CEA23=50)
            registry.pay_in(name, 1_000)
        world.owe(2024, ("P1", 300), ("P2", 200))
        registry.surrender.apply("P1", 2024, {"CEA24": 5})
        registry.surrender.apply("P2", 2024, {"CEA24": 5})
        registry.surrender.accept(2, BEIJING)
        registry.offsets.book(proof("N1", "P1", 4))
        registry.enforcement.freeze("P2", "CEA24", 5, until=20261231, **ORDER)
        registry.enforcement.freeze("P2", None, None, until=20261231, **ORDER)
        registry.dispositions.cancellation_apply("P1", "CEA24", 5, purpose="for the climate")
        registry.distribution.issue("CEA24", 1_000)
        world.keep("P3", BEIJING, "CEA24", 10)
        world.traded("P1", "P3", "CEA24", DAY, 5, 100, frozen=True)
        registry.key_grant(key_of("k"), "P1")
        registry.bank_files.folder = tmp_path / "bank"
        (tmp_path / "bank" / "in").mkdir(parents=True)
        (tmp_path / "bank" / "in" / "a.csv").write_bytes(b"<x/>")
        yield world


# -- Requests -----------------------------------------------------------------------------------


def persons(staff):
    staff.person("ini", "initiator", account="P1")
    staff.person("app", "approver", account="P1")
    staff.person("mee", "authority")
    staff.person("bei", "province", province=BEIJING)
    names = {"operator": "an", "authority": "mee", "province": "bei", "initiator": "ini"}
    return names | {"approver": "app", "regulator": "rex"}


@pytest.mark.parametrize(
    ("day", "second_person"),
    [
        (DAY, None),
        *(
            pytest.param(day, second, marks=pytest.mark.nightly)
            for day, second in ((DAY, ()), *product((20260120, 20260321), (None, ())))
        ),
    ],
)
def test_every_request_is_done_or_refused(world, day, second_person):
    rng = random.Random(day)
    world.clock.day = day
    if day > DAY:
        world.registry.carryover.give_notice()
        world.registry.bank.setting = BankSetting()
    staff = Staff(world.registry, second_person=second_person)
    names = persons(staff)
    requests = EdgeRequests(
        [each for each in REGISTRY_REQUESTS.types if each is not Stop],
        SOUND,
        rng,
        texts=tuple(key_of(each) for each in ("k", "an", "new")),
        record=msgspec.to_builtins(proof("N9", "P2", 4)),
    )
    broken, done = broken_by(
        requests,
        MAY,
        lambda role, payload: staff._service.reply(key_of(names[role]), payload).answer.by_ok(),
        world.registry.transaction,
    )
    assert broken == []
    assert done > 500


# -- The library --------------------------------------------------------------------------------

WITHIN = frozenset(
    {"surrender.listed", "accounts.pending_rows", "bank.instruct", "bank.reserve_instruct"}
)
"""A part of looks that have checked what they are given, and what only services call."""
OFFICIALS = (
    *("accounts", "persons", "province_holdings", "distribution", "obligations", "surrender"),
    *("offsets", "compliance", "carryover", "enforcement", "dispositions", "defaults", "claims"),
    *("statements", "bank_files", "borrowing", "deductions", "corrections", "offset_shares"),
    *("risk_reserve", "proceeds", "bank", "transfers", "duties", "ccer_proofs"),
)
ACTS = (
    *("account_open", "product_declare", "key_grant", "key_revoke", "issue", "pay_in"),
    *("transfer_in", "transfer_out"),
)
"""Of the registry itself."""


def library(registry):
    """Yield name and method of every act of the library that takes numbers, texts or none."""
    yield from ((name, getattr(registry, name)) for name in ACTS)
    for staff in OFFICIALS:
        of = getattr(registry, staff)
        for name, _ in inspect.getmembers(type(of), inspect.isfunction):
            if not name.startswith("_"):
                yield f"{staff}.{name}", getattr(of, name)


def library_calls(registry, rng):
    """Yield name, method and keyword arguments, one of them at its edge or all at random."""
    numbers = [number for number in INTS if number < 2**63]
    tried = {int: numbers, str: [*TEXTS, key_of("k")], bool: [True]}
    for name, method in library(registry):
        if name in WITHIN:
            continue
        parameters = inspect.signature(method).parameters
        kinds = {
            field: [each for each in tried if each in _kinds_of(parameter.annotation)]
            for field, parameter in parameters.items()
        }
        if not all(kinds.values()):
            continue
        fields = {field: [v for kind in each for v in tried[kind]] for field, each in kinds.items()}
        sound = {f: SOUND.get(f, IDS if f.endswith("_id") else each) for f, each in fields.items()}
        for field, each in fields.items():
            for value in each:
                others = {other: rng.choice(sound[other]) for other in fields if other != field}
                yield name, method, {**others, field: value}


def _kinds_of(annotation):
    """Return the types of a union, or the type itself."""
    return typing.get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)


def test_every_act_of_the_library_is_done_or_refused(world):
    """Numbers of 64 bits, days of no calendar, texts of anything: `ActError`, or done."""
    rng = random.Random(5)
    broken, tried = {}, set()
    for name, method, fields in library_calls(world.registry, rng):
        tried.add(name)
        with suppress(TakenBack, ActError), world.registry.transaction():
            try:
                found = method(**fields)
                if inspect.isgenerator(found):
                    list(found)
            except ActError:
                raise
            except Exception as error:
                broken[name, type(error).__name__, str(error)[:60]] = fields
            raise TakenBack
    assert broken == {}, "\n".join(f"{k} {v}" for k, v in broken.items())
    assert {"issue", "claims.pay", "enforcement.extend", "compliance.shortfalls"} <= tried


# -- Files --------------------------------------------------------------------------------------


def edges_of(source):
    """Yield files as one, each with another cell at another edge."""
    heads, *lines = source.data.decode("utf-8-sig").splitlines()
    for at, line in enumerate(lines):
        cells = line.split(",")
        for column in range(len(cells)):
            for value in (*map(str, INTS), "", " 1", "1e9", "1.0", "-0", "0x1", "１", "=1+1", "\0"):
                changed = [*cells[:column], value, *cells[column + 1 :]]
                rows = [*lines[:at], ",".join(changed), *lines[at + 1 :]]
                yield SourceFile(source.name, "\n".join([heads, *rows, ""]).encode())


def test_every_cell_of_a_file_is_taken_or_refused(world):
    registry = world.registry
    services = {
        registry.obligations.take: obligation_file(registry, 2023, ("P1", 300)),
        registry.offsets.take: proof_file(proof("N9", "P2", 4)),
        registry.distribution.preview: allocation_file("pre", {"P1": 9}, entities={"P1": BEIJING}),
    }
    for take, source in services.items():
        refused = count = 0
        for file in edges_of(source):
            count += 1
            with suppress(TakenBack), world.registry.transaction():
                try:
                    take(file)
                except ActError:
                    refused += 1
                raise TakenBack
        assert count > refused > count // 2
