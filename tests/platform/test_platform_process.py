"""The platform as a process on both databases: killed, talked nonsense to, without its database."""

import random
import time
from contextlib import suppress

import msgspec
import pytest

from cea_exchange.institution.control.admin_client import InstitutionUnavailable
from cea_exchange.institution.maintenance.integrity import integrity_differences
from cea_exchange.platform.rehearsal import rehearsal_prepare
from cea_exchange.platform.store import PlatformStore
from cea_exchange.protocol.security import CurveKeys
from support.platform.platform_process import PlatformProcess
from support.registry.fake_venue import pack, wait_until
from support.rounds import ROUNDS

pytestmark = pytest.mark.e2e

KILLS = 4 * ROUNDS
JUNK = (b"", b"\xc1", b"{}", b"\x91" * 100_000, pack({"op": "stop"})[:-1], pack({"op": 7}))
WRONG = (
    {"op": "month_enter", "enterprise": "E1"},
    {"op": "filing_pass", "enterprise": "E1", "kind": "year", "period": 2024},
    {"op": "month_file", "enterprise": "E1", "period": 2**63},
    {"op": "verification_confirm", "verification": -1},
    {"op": "nothing"},
    [1, 2, 3],
)


@pytest.fixture
def platform(tmp_path, database_address):
    with PlatformProcess(tmp_path / "data", database_address) as process:
        yield process


def integrity(data, database):
    with PlatformStore.open_reader(data, database) as store:
        store.database.begin(snapshot=True)
        return list(integrity_differences(store))


def states(platform):
    rows = platform.ask("li", "filing_list", enterprise="E1", year=2024)["filings"]
    return [row["state"] for row in rows]


@pytest.mark.nightly
@pytest.mark.postgres_at_night
def test_a_firms_key_files_a_month_and_what_was_answered_outlives_kills(platform):
    """CEA-MRV-08, CEA-ENT-14."""
    platform.bring("scale-2024.csv")
    platform.killed()
    assert len(platform.bring("e1-2024.csv")["entered"]) == 12
    platform.killed()
    assert platform.code("li", "month_file", enterprise="E1", period=202401) == "NOT_PERMITTED"
    (filed,) = platform.ask("wang", "month_file", enterprise="E1", period=202401)["filed"]
    assert (filed["emission"], filed["unit"]) == ("246477.00", "E1-1")
    platform.killed()
    passing = {"enterprise": "E1", "kind": "month", "period": 202401}
    platform.ask("chen", "filing_pass", **passing)
    platform.killed()
    assert platform.ask("sun", "filing_pass", **passing)["states"] == {"accepted": 1}
    platform.killed()
    assert states(platform) == ["accepted", *["draft"] * 11]


@pytest.mark.random
@pytest.mark.postgres_at_night
def test_a_file_is_taken_whole_or_not_at_all_whenever_the_platform_is_killed(
    platform, database_address
):
    """CEA-FIL-01: and the numbered stream and the chain of hashes are whole."""
    rng = random.Random(20260110)
    platform.bring("scale-2024.csv")
    content = (platform.data / "e1-2024.csv").read_bytes()
    versions = 0
    for number in range(KILLS):
        caller = platform.caller("li")
        reason = "weighed again" if versions else ""
        caller.socket.send(
            pack(
                {"op": "month_enter", "enterprise": "E1", "file": f"{number}.csv"}
                | {"content": content, "reason": reason}
            )
        )
        time.sleep(rng.random() * 0.15)
        platform.killed()
        caller.close()
        rows = platform.ask("li", "filing_list", enterprise="E1", year=2024)["filings"]
        kept = {row["version"] for row in rows}
        assert (len(rows), len(kept)) in ((0, 0), (12, 1)), rows
        versions = max(kept, default=0)
    platform.stop()
    assert integrity(platform.data, database_address) == []


def test_whatever_comes_to_its_doors_is_answered_or_dropped_and_it_goes_on(platform):
    for door, name in (("admin", "li"), ("admin", "an"), ("link", "registry")):
        caller = platform.caller(name, door)
        for payload in (*JUNK, *map(pack, WRONG)):
            answer = caller.ask_bytes(payload, 2_000)
            refusal = answer and (answer.get("code") or answer.get("refusal"))
            assert answer is None or refusal, answer
        caller.close()
    assert platform.ask("an", "status")["state"] == "ok"
    assert platform.ask("an", "status")["filings"] == 0


def test_who_has_no_right_to_a_door_gets_no_word(tmp_path):
    """CEA-REG-01."""
    with PlatformProcess(tmp_path / "data") as platform:
        persons = CurveKeys.load(platform.data / "keys", "an")
        refused = (("admin", CurveKeys.new()), ("link", CurveKeys.new()), ("link", persons))
        for door, keys in refused:
            caller = platform.caller("an", door, keys)
            assert caller.ask({"op": "status"}, 500) is None
            question = {"log_id": None, "first": 1, "count": 1, "verdicts": []}
            assert caller.ask(question, 500) is None
            caller.close()
        assert platform.ask("an", "status")["state"] == "ok"


def test_a_bench_without_second_persons_says_so_in_its_status(platform):
    assert "second_person = []" in platform.ask("an", "status")["unsafe"]


# -- a database that goes away --------------------------------------------------------------------


@pytest.fixture
def own_database(postgres_process):
    """A database of a server that the test may kill."""
    return postgres_process.database("platform")


@pytest.mark.nightly
def test_its_database_killed_and_started_it_goes_on_where_it_was(
    tmp_path, own_database, postgres_process
):
    with PlatformProcess(tmp_path / "data", own_database) as platform:
        platform.bring("scale-2024.csv")
        postgres_process.crash()
        try:
            # Said at once, or the daemon waits already.
            with suppress(InstitutionUnavailable):
                content = (platform.data / "e1-2024.csv").read_bytes()
                hasty = platform.caller("li")
                hasty.ask(
                    {"op": "month_enter", "enterprise": "E1", "file": "e1.csv", "content": content},
                    1_000,
                )
                hasty.close()
            wait_until(lambda: "database_waited_for" in platform.log(), 20)
        finally:
            postgres_process.start()
        wait_until(lambda: "database_back" in platform.log(), 30)
        rows = platform.ask("li", "filing_list", enterprise="E1")["filings"]
        if not rows:
            platform.bring("e1-2024.csv")
        assert states(platform) == ["draft"] * 12
        platform.stop()
    assert integrity(platform.data, own_database) == []


@pytest.mark.postgres_at_night
def test_a_rehearsal_that_is_prepared_twice_is_as_it_was(tmp_path, database_address):
    platform = PlatformProcess(tmp_path / "data", database_address)
    key = (platform.data / "keys" / "li.secret").read_bytes()
    with platform:
        platform.bring("scale-2024.csv")
        platform.stop()
    rehearsal_prepare(platform.data, database_address)
    assert (platform.data / "keys" / "li.secret").read_bytes() == key
    with platform:
        assert len(platform.ask("li", "evidence_list", enterprise="E1")["documents"]) == 1


@pytest.mark.postgres_at_night
def test_a_year_is_verified_and_given_over_the_socket(platform):
    """CEA-PLN-26: what is told the registry is numbered."""
    platform.year_verified()
    given = platform.ask("sun", "allocation_compute", province=33, year=2024, stage="final")
    assert given["tonnes"] == 2_847_600
    number = given["allocation"]
    assert platform.code("sun", "allocation_approve", allocation=number) == "SAME_PERSON"
    platform.ask("qian", "allocation_approve", allocation=number)
    platform.ask("sun", "allocation_distribute", allocation=number)
    registry = platform.caller("registry", "link")
    answer = registry.ask({"log_id": None, "first": 1, "count": 10, "verdicts": []})
    shown = [msgspec.msgpack.decode(item) for item in answer["items"]]
    assert len(shown) == answer["last_seq"] == 2
    registry.close()
