"""Every state of an instruction with everything the bank may say of it (CEA-BNK-08)."""

import pytest

from cea_exchange.protocol.bank.statements import Status
from cea_exchange.registry.bank.lifecycle import (
    LifecycleError,
    State,
    after_outcome,
    after_status,
)
from cea_exchange.registry.bank.matching import Outcome

NEVER = "never"
AFTER_STATUS = """
            accepted  pending   refused
made        never     never     never
sent        accepted  pending   refused
accepted    accepted  accepted  refused
pending     accepted  pending   refused
late        late      late      refused
in_error    in_error  in_error  in_error
booked      booked    booked    in_error
refused     never     never     refused
"""
AFTER_OUTCOME = """
            booked    missing   refused   doubled   refused_yet_booked
made        never     made      refused   never     never
sent        booked    late      refused   in_error  in_error
accepted    booked    late      refused   in_error  in_error
pending     booked    late      refused   in_error  in_error
late        booked    late      refused   in_error  in_error
in_error    booked    late      refused   in_error  in_error
booked      booked    in_error  refused   in_error  in_error
refused     in_error  refused   refused   in_error  in_error
"""


def rows(table, says):
    head, *lines = table.strip().splitlines()
    for line in lines:
        state, *results = line.split()
        for said, result in zip(head.split(), results, strict=True):
            yield State(state), says(said), result


@pytest.mark.parametrize(
    ("table", "says", "after"),
    [(AFTER_STATUS, Status, after_status), (AFTER_OUTCOME, Outcome, after_outcome)],
)
def test_every_state_with_everything_that_is_said(table, says, after):
    shown = list(rows(table, says))
    assert {state for state, _, _ in shown} == set(State)
    for state, said, result in shown:
        if result == NEVER:
            with pytest.raises(LifecycleError, match="expected"):
                after(state, said)
        else:
            assert after(state, said) is State(result), (state, said)


def test_every_error_of_the_bank_is_one():
    for outcome in Outcome:
        is_error = outcome not in (Outcome.BOOKED, Outcome.MISSING, Outcome.REFUSED)
        assert (after_outcome(State.ACCEPTED, outcome) is State.IN_ERROR) == is_error
