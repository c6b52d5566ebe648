"""What enforcement tests begin with: an obligation, its status at the registry, a case so far."""

import msgspec

from cea_exchange.domain.calendar import date_number, date_of_number
from cea_exchange.domain.compliance.penalties import Traded
from cea_exchange.platform.enforcement.cases import Breach
from cea_exchange.platform.obligations.obligations import Obligation
from cea_exchange.protocol.links.platform import Completion, LinkQuestion
from support.platform.platform_world import PROVINCE, verified_2024

DECEMBER_2024 = Traded(amount=738_556_133_379, tonnes=75_365_531)
WORDS = "the least of it"
UNPAID_2023 = Breach("unpaid", 20241231, 2023)
DEADLINES = {2022: 20231231, 2023: 20241231, 2024: 20251231, 2025: 20261231}


def owes(world, year, tonnes):
    """Let E1 owe tonnes of a year: the obligation as `set_all` keeps it, of a result there is."""
    store = world.platform.store
    world.is_audited = False
    result = store.one("SELECT max(result_id) FROM verified_results")
    if result is None:
        day, world.day = world.day, 20250401
        verified_2024(world)
        world.day = day
        result = 1
    number = store.next_id("obligations", "obligation_id")
    row = Obligation(
        *(number, 1, year, 1, tonnes, tonnes, 0, DEADLINES[year], result),
        reason="",
        set_by="Sun Yu",
        mark="",
        set_on=DEADLINES[year] - 100,
    )
    with world.platform.transaction():
        store.insert(f"obligations ({', '.join(Obligation._fields)})", [row])


def reported(world, year=None, *covered, applied=0, until=None):
    """Let the registry tell what covers an obligation, (day, tonnes), and that this is all."""
    outbox = world.platform.outbox
    completions = ()
    if year is not None:
        owed = world.platform.obligations.of(1, year).due_tonnes
        sum_of = sum(tonnes for _, tonnes in covered)
        completions = (
            Completion(
                *(outbox.completed_seq + 1, "E1", year, owed, sum_of, 0),
                completed_on=covered[-1][0] if sum_of == owed else 0,
                applied=applied,
                covered=covered,
            ),
        )
    question = LinkQuestion(
        *(1, 0, outbox.log_id, (), completions),
        reported_until=world.day if until is None else until,
    )
    answer = outbox.answer(msgspec.msgpack.encode(question))
    assert not answer.refusal, answer.refusal


def short_of_2023(world, day=20250210):
    """Let E1 be short of 865,300 t of 2023, as in the decision that is known."""
    owes(world, 2023, 5_128_612)
    world.day = day
    reported(world, 2023, (20241220, 4_263_312))


def opened(world, breach=UNPAID_2023, day=None, **of):
    """Open a case against E1, or who is given; return its number."""
    world.day = day or world.day
    of = of or {"enterprise_id": 1}
    return world.platform.cases.open(PROVINCE, 33, breach, "case 1", **of).case_id


def taken(world, number, *steps, day=None, due_on=0, words=""):
    """Take steps on a day."""
    world.day = day or world.day
    for step in steps:
        case = world.platform.cases.procedure.take(
            PROVINCE, number, step, f"{step} 1", due_on=due_on, words=words
        )
    return case


def working_days_on(world, count, since=None):
    """Let so many working days pass."""
    calendar = world.platform.record.calendar
    world.day = calendar.term_end(date_of_number(since or world.day), count).number
    return world.day


def heard_of(world, number, *, notice="notice"):
    """Give notice, and let the terms to state and to ask for a hearing pass."""
    taken(world, number, notice)
    working_days_on(world, 6)


def decided(world, fine, breach=UNPAID_2023, *, of=None, orders=True, **terms):
    """Open, order, notice, review and decide; return the case's number."""
    number = opened(world, breach, **(of or {}))
    if orders:
        until = date_number(date_of_number(world.day).replace(day=28))
        taken(world, number, "order", due_on=max(until, world.day + 1))
    heard_of(world, number)
    taken(world, number, "legal_review", "joint_decision")
    world.platform.cases.deciding.decide(
        PROVINCE, number, fine, "decision 1", words=WORDS, **terms
    )
    return number
