"""What the gateway asks of every command: the compiled pass against plain Python and numpy."""

import numpy as np
import pytest

from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE, CommandKind, EventKind
from cea_exchange.protocol.framing import command_faults
from cea_exchange.venue._intake import (
    ID_ABOVE,
    ID_PASSED,
    ID_UNDECIDED,
    ID_UNDECIDED_TOO_MANY,
    are_of_date,
    are_same_commands,
    cancels_apart,
    commands_join,
    faulty_commands,
    faulty_payloads,
    ids_placed,
)
from cea_exchange.venue.order_entry.cancels import is_cancel

BYTES = np.arange(256)


@pytest.mark.parametrize("kind", list(CommandKind))
@pytest.mark.parametrize("field", ["kind", "side", "tif", "flags"])
def test_every_value_of_every_small_field_is_judged_as_clients_judge_it(kind, field):
    records = np.zeros(256, COMMAND_DTYPE)
    records["kind"] = kind
    if kind in (CommandKind.ENTER, CommandKind.BLOCK_ENQUIRY, CommandKind.BLOCK_OFFER):
        records["side"] = 1
    records[field] = BYTES
    faults = faulty_commands(records)
    assert faults.dtype == bool
    assert faults.tolist() == command_faults(records).tolist()
    assert 0 < faults.sum() < 256


@pytest.mark.parametrize("seed", range(5))
def test_random_bytes_are_judged_as_clients_judge_them(seed):
    rng = np.random.default_rng(seed)
    records = np.frombuffer(rng.bytes(64 * 2_000), COMMAND_DTYPE).copy()
    for field in ("account_index", "operator_index", "reserved"):
        records[field][rng.random(2_000) < 0.9] = 0
    records["kind"] = rng.integers(0, 12, 2_000)
    for field in ("side", "tif", "flags"):
        records[field] = rng.integers(0, 4, 2_000)
    faults = faulty_commands(records)
    assert faults.tolist() == command_faults(records).tolist()
    assert 0 < faults.sum() < 2_000


class Accepted:
    """A market that knows the last accepted id of each operator, any of them."""

    def __init__(self, chance, most):
        self._chance, self._most, self.lasts = chance, most, {}

    def last_client_order_id(self, account_index, operator_index):
        operator = account_index << 16 | operator_index
        assert operator not in self.lasts
        return self.lasts.setdefault(operator, int(self._chance.integers(0, self._most)))


def places_plain(records, lasts, undecided_max):
    highest, undecided, places = dict(lasts), dict.fromkeys(lasts, 0), []
    for record in records:
        key = int(record["account_index"]) << 16 | int(record["operator_index"])
        client_order_id = int(record["client_order_id"])
        if client_order_id <= lasts[key]:
            places.append(ID_PASSED)
        elif client_order_id > highest[key]:
            highest[key] = client_order_id
            places.append(ID_ABOVE)
        else:
            undecided[key] += 1
            few = undecided[key] <= undecided_max
            places.append(ID_UNDECIDED if few else ID_UNDECIDED_TOO_MANY)
    return places


@pytest.mark.parametrize("seed", range(10))
def test_ids_are_placed_beside_accepted_ones_and_those_before_them(seed):
    rng = np.random.default_rng(seed)
    records = np.zeros(1 + 60 * seed, COMMAND_DTYPE)
    records["account_index"] = rng.integers(0, 1 + seed, len(records)) * 858_993_459 % (2**32 - 1)
    records["operator_index"] = rng.integers(0, 3, len(records))
    records["client_order_id"] = np.arange(len(records)) // 3 + rng.integers(0, 30, len(records))
    records["client_order_id"][rng.random(len(records)) < 0.02] = 2**64 - 1
    accepted = Accepted(rng, 60)
    placed = ids_placed(records, accepted, 4)
    if placed is None:
        placed = np.full(len(records), ID_ABOVE)
    assert placed.tolist() == places_plain(records, accepted.lasts, 4)
    if seed:
        assert {ID_ABOVE, ID_PASSED, ID_UNDECIDED} <= set(placed.tolist())


def test_ids_that_are_all_above_those_before_them_need_no_places():
    records = np.zeros(6, COMMAND_DTYPE)
    records["account_index"] = [7, 7, 8, 7, 8, 2**32 - 2]
    records["client_order_id"] = [1, 2, 1, 2**63, 2**64 - 1, 1]
    nothing_yet = Accepted(np.random.default_rng(1), 1)
    assert ids_placed(records, nothing_yet, 4) is None
    assert set(nothing_yet.lasts.values()) == {0}
    records["client_order_id"][1] = 1
    again = ids_placed(records, Accepted(np.random.default_rng(1), 1), 4)
    assert again.tolist() == [ID_ABOVE, ID_UNDECIDED, *4 * [ID_ABOVE]]


def test_every_row_has_an_event():
    records, events = np.zeros(2, COMMAND_DTYPE), np.zeros(2, EVENT_DTYPE)
    records["kind"], events["kind"] = CommandKind.CANCEL, EventKind.ORDER_CANCELED
    records["order_id"][1] = 7
    assert are_same_commands(records, events, np.array([1, 1])).tolist() == [True, False]
    assert are_same_commands(records, events, np.array([-1, -1])).tolist() == [False, False]
    with pytest.raises(ValueError, match="within 2 events"):
        are_same_commands(records, events, np.array([0, 2]))
    with pytest.raises(ValueError, match="as many rows as records, 2, got 1"):
        are_same_commands(records, events, np.array([0]))


@pytest.mark.parametrize("seed", range(5))
def test_payloads_with_a_faulty_command_are_named_and_the_others_joined(seed):
    rng = np.random.default_rng(seed)
    records = np.zeros(300, COMMAND_DTYPE)
    records["kind"] = CommandKind.CANCEL
    records["client_order_id"] = np.arange(300)
    records["reserved"][rng.random(300) < 0.02] = 1
    parts = np.split(records, np.sort(rng.integers(1, 300, 40)))
    payloads = [part.tobytes() for part in parts]
    faulty = [index for index, part in enumerate(parts) if command_faults(part).any()]
    assert faulty
    assert faulty_payloads(payloads) == faulty
    operators = [(int(a), int(o)) for a, o in rng.integers(0, 2**16, (len(parts), 2))]
    joined, owner = commands_join(payloads, operators)
    accounts, numbers = np.array(operators).T
    assert owner.tolist() == np.repeat(np.arange(len(parts)), list(map(len, parts))).tolist()
    assert joined["account_index"].tolist() == accounts[owner].tolist()
    assert joined["operator_index"].tolist() == numbers[owner].tolist()
    joined["account_index"] = joined["operator_index"] = 0
    assert joined.tobytes() == records.tobytes()
    assert joined.flags.writeable


@pytest.mark.parametrize("operator", [(2**32, 0), (-1, 0), (0, 2**16), (0, -1)])
def test_an_operator_that_no_record_can_name_is_refused(operator):
    with pytest.raises(OverflowError):
        commands_join([bytes(64)], [operator])


def test_commands_are_of_a_date_when_all_of_them_are():
    records = np.zeros(5, COMMAND_DTYPE)
    records["trading_date"] = 20241231
    assert are_of_date(records, 20241231)
    assert not are_of_date(records, 20241230)
    for row in range(5):
        other = records.copy()
        other["trading_date"][row] = 0
        assert not are_of_date(other, 20241231)


@pytest.mark.parametrize("seed", range(3))
def test_what_takes_something_back_is_counted_apart_by_message(seed):
    """Cancels have a budget of their own (CEA-ORD-06), so both ways of telling them agree."""
    rng = np.random.default_rng(seed)
    records = np.zeros(500, COMMAND_DTYPE)
    records["kind"] = rng.choice([int(kind) for kind in CommandKind], 500)
    owner = np.sort(rng.integers(0, 40, 500))
    cancels = is_cancel(records)
    assert 0 < cancels.sum() < 500
    counts = [((owner == n) & ~cancels, (owner == n) & cancels) for n in range(41)]
    expected = [(int(others.sum()), int(mine.sum())) for others, mine in counts]
    assert cancels_apart(records, owner, 41) == expected
    with pytest.raises(ValueError, match="within 0..2, got 3"):
        cancels_apart(records, owner, 3)
    with pytest.raises(TypeError, match="one number a record"):
        cancels_apart(records, owner[1:], 41)


def test_nothing_that_came_has_no_fault_and_no_operator():
    nothing = np.zeros(0, COMMAND_DTYPE)
    assert faulty_commands(nothing).tolist() == []
    assert faulty_payloads([]) == []
    assert [len(part) for part in commands_join([], [])] == [0, 0]
    assert are_of_date(nothing, 20241231)
    assert cancels_apart(nothing, np.zeros(0, np.int64), 0) == []
    assert ids_placed(nothing, Accepted(None, 0), 1) is None
