"""The order-entry session: ids, gap refill, resends, without a socket."""

import msgspec
import numpy as np
import pytest

from cea_exchange.client.session import (
    OrderSession,
    SessionEnded,
    SessionError,
    SessionState,
)
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    COMMAND_DTYPE,
    EVENT_DTYPE,
    CommandKind,
    EventKind,
    Reason,
    Side,
)
from cea_exchange.domain.refusals import VenueRefusal


def logon(session, *, report_seq=0, last_client_order_id=0, role="trader"):
    answer = {
        "op": "logon",
        "account": "alice",
        "account_index": 7,
        "operator_index": 0,
        "role": role,
        "products": [
            {
                "product": "CEA24",
                "product_index": 1,
                "reference_price": 9749,
                "band_low": 8774,
                "band_high": 10724,
            }
        ],
        "trading_date": 20250102,
        "phase": 2,
        "report_seq": report_seq,
        "last_client_order_id": last_client_order_id,
        "log_id": "log",
    }
    session.connected()
    session.outgoing()
    session.receive([b"M", msgspec.msgpack.encode(answer)])


def row(kind, report_seq, client_order_id=0, **fields):
    event = np.zeros(1, EVENT_DTYPE)
    event["kind"] = kind
    event["account_index"] = 7
    event["counter_account_index"] = ACCOUNT_NONE
    event["report_seq"] = report_seq
    event["client_order_id"] = client_order_id
    for name, value in fields.items():
        event[name] = value
    return event.tobytes()


def accepted(report_seq, client_order_id):
    return row(EventKind.ORDER_ACCEPTED, report_seq, client_order_id)


def commands_of(messages):
    frames = [payload for tag, payload in messages if tag == b"C"]
    return np.frombuffer(b"".join(frames), COMMAND_DTYPE)


def requests_of(messages):
    return [msgspec.msgpack.decode(payload) for tag, payload in messages if tag == b"M"]


def test_ids_strictly_increase_and_go_on_after_the_venues_last():
    session = OrderSession()
    logon(session, last_client_order_id=41)
    ids = [session.enter("CEA24", "buy", price="97.50", tonnes=10) for _ in range(3)]
    ids.append(session.cancel(5))
    ids.append(session.amend(5, price="97.40", tonnes=3))
    assert ids == [42, 43, 44, 45, 46]
    sent = commands_of(session.outgoing())
    assert sent["client_order_id"].tolist() == ids
    assert sent["trading_date"].tolist() == [20250102] * 5
    assert sent["price"].tolist() == [9750, 9750, 9750, 0, 9740]
    assert sent["account_index"].tolist() == [0] * 5


def test_names_become_numbers_and_floats_are_refused():
    session = OrderSession()
    with pytest.raises(SessionError, match="logon"):
        session.enter("CEA24", Side.BUY, price="97.50", tonnes=10)
    logon(session)
    with pytest.raises(TypeError, match="float"):
        session.enter("CEA24", Side.BUY, price=97.5, tonnes=10)
    with pytest.raises(TypeError, match="tonnes"):
        session.enter("CEA24", Side.BUY, price="97.50", tonnes=10.0)
    with pytest.raises(ValueError, match="side"):
        session.enter("CEA24", "hold", price="97.50", tonnes=10)
    with pytest.raises(ValueError, match="64 bits"):
        session.enter("CEA24", Side.BUY, price="97.50", tonnes=2**63)
    with pytest.raises(ValueError, match="order_id: expected at least 0"):
        session.cancel(-1)
    with pytest.raises(TypeError, match="side: expected str or Side, got int"):
        session.enter("CEA24", 1, price="97.50", tonnes=10)
    with pytest.raises(TypeError, match="post_only: expected bool, got str"):
        session.enter("CEA24", Side.BUY, price="97.50", tonnes=10, post_only="no")
    with pytest.raises(TypeError, match="trading_date: expected int, got str"):
        session.enter("CEA24", Side.BUY, price="97.50", tonnes=10, trading_date="2025-01-02")
    assert session.outgoing() == [] and session.unacknowledged == {}


def test_an_unknown_product_is_a_lookup_error_at_once():
    session = OrderSession()
    logon(session)
    terms = {"price": "97.50", "tonnes": 10}
    for send in (session.enter, session.block_offer, session.block_enquiry):
        with pytest.raises(LookupError, match="product: expected one of CEA24, got 'CEA99'"):
            send("CEA99", Side.BUY, **terms)
    assert session.outgoing() == [] and session.next_client_order_id == 1


PRICED = {
    "enter": lambda session, **price: session.enter("CEA24", "buy", tonnes=10, **price),
    "amend": lambda session, **price: session.amend(5, tonnes=10, **price),
    "offer": lambda session, **price: session.block_offer("CEA24", "buy", tonnes=10, **price),
    "enquiry": lambda session, **price: session.block_enquiry("CEA24", "buy", **price),
    "counter": lambda session, **price: session.block_counter(5, tonnes=10, **price),
    "bid": lambda session, **price: session.bid(5, tonnes=10, **price),
}


@pytest.mark.parametrize("name", PRICED)
def test_an_int_of_money_says_that_it_is_fen(name):
    session, send = OrderSession(), PRICED[name]
    logon(session)
    for wrong in (97, 9750, np.int64(9750), 97.5, True):
        with pytest.raises(TypeError, match=r"price: expected str such as '97.50' \(yuan\), or"):
            send(session, price=wrong)
    for wrong in (97.5, "97.50", True):
        with pytest.raises(TypeError, match="price_fen: expected int, got "):
            send(session, price_fen=wrong)
    with pytest.raises(ValueError, match="price: expected yuan or fen, got both"):
        send(session, price="97.50", price_fen=9750)
    assert session.outgoing() == []
    send(session, price="97.50")
    send(session, price_fen=9750)
    send(session, price_fen=np.int32(9750))
    assert commands_of(session.outgoing())["price"].tolist() == [9750] * 3


@pytest.mark.parametrize("name", ["enter", "amend", "offer", "counter"])
def test_a_price_that_must_be_there_is_asked_for(name):
    session = OrderSession()
    logon(session)
    with pytest.raises(TypeError, match="price: expected str .* or price_fen int, got NoneType"):
        PRICED[name](session)


def test_numpys_numbers_are_numbers():
    session = OrderSession(report_seq=np.int64(0))
    logon(session)
    session.cancel(np.uint64(1 << 63 - 1), trading_date=np.int32(20250103))
    session.party(account_index=np.int64(3))
    session.blocks(np.int64(3))
    messages = session.outgoing()
    assert commands_of(messages)["trading_date"].tolist() == [20250103]
    assert [request.get("account_index") for request in requests_of(messages)] == [3, None]


def test_a_session_and_a_report_say_what_they_are():
    session = OrderSession()
    assert repr(session) == "<OrderSession None: down, report None, 0 unanswered>"
    logon(session)
    session.enter("CEA24", "buy", price="97.50", tonnes=10)
    assert repr(session) == "<OrderSession alice: ready, report 0, 1 unanswered>"
    (report,) = session.receive([b"R", row(EventKind.ORDER_REJECTED, 1, 1, reason=Reason.IOC)])
    assert repr(report) == (
        "Report(kind=ORDER_REJECTED, reason=IOC, account_index=7, "
        "counter_account_index=4294967295, client_order_id=1, report_seq=1)"
    )


def test_a_malformed_record_of_a_batch_is_named_and_nothing_goes_out():
    session = OrderSession()
    logon(session)
    commands = np.zeros(3, COMMAND_DTYPE)
    commands["kind"] = 2
    commands["kind"][1] = 12
    with pytest.raises(ValueError, match=r"commands\[1\].*kind"):
        session.submit(commands)
    assert session.outgoing() == [] and session.next_client_order_id == 1


def test_a_gap_is_filled_by_replay_before_anything_later_is_delivered():
    session = OrderSession()
    logon(session)
    assert session.receive([b"R", accepted(1, 1)])
    assert session.receive([b"R", accepted(4, 4)]) == []
    asked = requests_of(session.outgoing())
    assert asked == [{"op": "replay", "from": 2, "count": 2}]
    assert session.receive([b"R", accepted(5, 5)]) == []
    assert session.outgoing() == []
    delivered = session.receive([b"R", accepted(2, 2) + accepted(3, 3)])
    assert [report.report_seq for report in delivered] == [2, 3, 4, 5]


def test_a_repeated_report_is_delivered_once():
    session = OrderSession()
    logon(session)
    assert len(session.receive([b"R", accepted(1, 1) + accepted(1, 1)])) == 1
    assert session.receive([b"R", accepted(1, 1)]) == []


def test_commands_stay_until_answered():
    session = OrderSession()
    logon(session)
    for _ in range(4):
        session.enter("CEA24", "buy", price="97.50", tonnes=10)
    session.cancel(9)
    session.receive([b"R", accepted(1, 1)])
    session.receive([b"R", row(EventKind.ORDER_REJECTED, 2, 2, reason=Reason.SELF_TRADE)])
    throttled = row(EventKind.ORDER_REJECTED, 0, 3, reason=Reason.THROTTLED)
    assert len(session.receive([b"R", throttled])) == 1
    ioc = row(EventKind.ORDER_CANCELED, 3, 4, reason=Reason.IOC)
    session.receive([b"R", ioc])
    assert list(session.unacknowledged) == [4, 5]
    session.receive([b"R", row(EventKind.ORDER_CANCELED, 4, 5, reason=Reason.REQUESTED)])
    assert list(session.unacknowledged) == [4]


def test_another_operators_answer_settles_nothing():
    session = OrderSession()
    logon(session)
    session.enter("CEA24", "buy", price="97.50", tonnes=10)
    session.receive([b"R", row(EventKind.ORDER_ACCEPTED, 1, 1, operator_index=3)])
    assert list(session.unacknowledged) == [1]


def test_after_a_reconnection_reports_come_first_then_resends_with_the_same_ids():
    session = OrderSession()
    logon(session)
    for _ in range(3):
        session.enter("CEA24", "buy", price="97.50", tonnes=10)
    first = {record.tobytes() for record in commands_of(session.outgoing())}
    session.disconnected()
    late = session.enter("CEA24", "sell", price="97.50", tonnes=10)
    logon(session, report_seq=1, last_client_order_id=1)
    assert session.state is SessionState.CATCHING_UP
    messages = session.outgoing()
    assert messages == []
    session.receive([b"R", accepted(1, 1)])
    assert session.state is SessionState.READY
    resent = commands_of(session.outgoing())
    assert resent["client_order_id"].tolist() == [2, 3, late]
    assert {record.tobytes() for record in resent[:2]} < first


def test_a_makers_report_is_numbered_on_its_own_side():
    session = OrderSession()
    logon(session)
    trade = row(
        EventKind.TRADE,
        0,
        account_index=ACCOUNT_NONE,
        counter_order_id=5,
        counter_report_seq=1,
        counter_tonnes_open=4,
    )
    (report,) = session.receive([b"R", trade])
    assert report.is_maker(7)
    assert report.own_order_id(7) == 5
    assert session.report_seq == 1


def test_a_lost_tail_is_asked_for_after_two_heartbeats_that_know_it():
    session = OrderSession()
    logon(session)
    beat = {"op": "heartbeat", "trading_date": 20250102, "phase": 2, "report_seq": 3}
    session.receive([b"M", msgspec.msgpack.encode(beat)])
    assert session.outgoing() == []
    session.receive([b"M", msgspec.msgpack.encode(beat)])
    assert requests_of(session.outgoing()) == [{"op": "replay", "from": 1, "count": 3}]


def test_a_venue_that_lost_acknowledged_work_is_noticed():
    session = OrderSession()
    logon(session)
    session.receive([b"R", accepted(1, 1)])
    with pytest.raises(SessionError, match="missing"):
        logon(session, report_seq=0)


def test_malformed_messages_are_refused_and_named():
    session = OrderSession()
    logon(session)
    with pytest.raises(ValueError, match="160"):
        session.receive([b"R", b"short"])
    with pytest.raises(SessionError, match="2 frames"):
        session.receive([b"R"])
    with pytest.raises(SessionError, match="R or M"):
        session.receive([b"X", b""])


def refused(session, code, **fields):
    answer = {"op": "refused", "code": code.name, "expected": "x", "got": "y", "where": "z"}
    answer |= fields
    session.receive([b"M", msgspec.msgpack.encode(answer)])


def test_a_forgotten_session_logs_on_again_and_sends_again():
    session = OrderSession()
    logon(session)
    session.enter("CEA24", "buy", price="97.50", tonnes=10)
    session.outgoing()
    refused(session, VenueRefusal.NOT_LOGGED_ON)
    assert session.state is SessionState.LOGGING_ON
    (again,) = requests_of(session.outgoing())
    assert (again["op"], again["report_seq"], again["attempt"]) == ("logon", 0, 2)
    logon(session)
    assert commands_of(session.outgoing())["client_order_id"].tolist() == [1]


def test_what_the_venue_takes_only_later_is_sent_again_at_the_next_heartbeat():
    session = OrderSession()
    logon(session)
    for _ in range(2):
        session.enter("CEA24", "buy", price="97.50", tonnes=10)
    session.outgoing()
    refused(session, VenueRefusal.CANCELS_ONLY, client_order_ids=[1, 2])
    assert session.outgoing() == [] and list(session.unacknowledged) == [1, 2]
    beat = {"op": "heartbeat", "trading_date": 20250102, "phase": "listed", "report_seq": 0}
    session.receive([b"M", msgspec.msgpack.encode(beat)])
    assert commands_of(session.outgoing())["client_order_id"].tolist() == [1, 2]
    session.receive([b"M", msgspec.msgpack.encode(beat)])
    assert session.outgoing() == []


def test_later_commands_wait_behind_what_the_venue_takes_only_later_but_cancels_do_not():
    """The venue takes ascending ids only: overtaken, the earlier would be refused for good."""
    session = OrderSession()
    logon(session)
    session.enter("CEA24", "buy", price="97.50", tonnes=10)
    session.outgoing()
    refused(session, VenueRefusal.CANCELS_ONLY, client_order_ids=[1])
    session.enter("CEA24", "buy", price="97.51", tonnes=10)
    record = np.zeros(1, COMMAND_DTYPE)
    record["kind"], record["client_order_id"] = CommandKind.ENTER, 3
    session.submit_packed([(3, record.tobytes())])
    assert session.outgoing() == []
    session.cancel(77)
    # What was refused stays; what has only waited would be refused for good behind the cancel.
    assert commands_of(session.outgoing())["client_order_id"].tolist() == [2, 3, 4]
    refused(session, VenueRefusal.CANCELS_ONLY, client_order_ids=[2, 3])
    beat = {"op": "heartbeat", "trading_date": 20250102, "phase": "listed", "report_seq": 0}
    session.receive([b"M", msgspec.msgpack.encode(beat)])
    assert commands_of(session.outgoing())["client_order_id"].tolist() == [1, 2, 3]
    # Whether they are taken now is not known yet.
    session.enter("CEA24", "buy", price="97.52", tonnes=10)
    session.receive([b"M", msgspec.msgpack.encode(beat)])
    assert session.outgoing() == []
    for number in (1, 2, 3):
        session.receive([b"R", accepted(number, number)])
    assert commands_of(session.outgoing())["client_order_id"].tolist() == [5]


def test_a_cancel_does_not_overtake_what_waits_for_the_answers_to_resends():
    """After a change of leader everything goes out in the order of its ids, so none is refused."""
    session = OrderSession()
    logon(session)
    session.enter("CEA24", "buy", price="97.50", tonnes=10)
    session.outgoing()
    session.disconnected()
    logon(session)
    session.enter("CEA24", "buy", price="97.51", tonnes=10)
    assert commands_of(session.outgoing())["client_order_id"].tolist() == [1]
    session.cancel(77)
    assert commands_of(session.outgoing())["client_order_id"].tolist() == [2, 3]
    session.enter("CEA24", "buy", price="97.52", tonnes=10)
    assert session.outgoing() == []
    session.receive([b"R", accepted(1, 1)])
    session.enter("CEA24", "buy", price="97.53", tonnes=10)
    assert commands_of(session.outgoing())["client_order_id"].tolist() == [4, 5]
    assert session.resent_count == 1


def ended(session, reason):
    shown = {"op": "session_ended", "reason": reason}
    session.receive([b"M", msgspec.msgpack.encode(shown)])


@pytest.mark.parametrize("reason", ["slow", "silent"])
def test_a_session_that_was_cut_off_comes_back_by_itself(reason):
    session = OrderSession()
    logon(session)
    ended(session, reason)
    assert session.state is SessionState.LOGGING_ON
    # What was sent before is refused for want of a session; that is no answer to the logon.
    refused(session, VenueRefusal.NOT_LOGGED_ON, reason=reason)
    assert session.state is SessionState.LOGGING_ON
    (again,) = requests_of(session.outgoing())
    assert (again["op"], again["report_seq"], again["attempt"]) == ("logon", 0, 2)


@pytest.mark.parametrize("reason", ["taken_over", "revoked", "logged_off", "operator"])
def test_a_session_that_ended_for_good_stays_so(reason):
    session = OrderSession()
    logon(session)
    session.enter("CEA24", "buy", price="97.50", tonnes=10)
    session.outgoing()
    ended(session, reason)
    assert (session.state, session.end_reason) == (SessionState.ENDED, reason)
    refused(session, VenueRefusal.NOT_LOGGED_ON, reason=reason)
    assert session.outgoing() == [] and list(session.unacknowledged) == [1]
    with pytest.raises(SessionEnded, match=reason):
        session.cancel(1)
    logon(session)
    assert session.state is SessionState.READY
    assert commands_of(session.outgoing())["client_order_id"].tolist() == [1]


def test_a_refusal_tells_of_an_end_that_was_not_heard():
    session = OrderSession()
    logon(session)
    refused(session, VenueRefusal.NOT_AUTHENTICATED, reason="revoked")
    assert session.state is SessionState.ENDED


def test_a_key_does_what_its_role_says():
    session = OrderSession()
    logon(session, role="canceller")
    assert session.cancel(5) == 1
    with pytest.raises(SessionError, match="only cancel"):
        session.enter("CEA24", "buy", price="97.50", tonnes=10)
    refused(session, VenueRefusal.NOT_PERMITTED, client_order_ids=[1])
    assert session.unacknowledged == {}
    logon(session, role="reader")
    with pytest.raises(SessionError, match="reader"):
        session.cancel(5)


def test_what_was_missed_comes_a_page_at_a_time():
    session = OrderSession(report_seq=0)
    logon(session, report_seq=12_000)
    # The logon named the last report that is known here: the first page comes unasked.
    assert session.outgoing() == []
    session.receive([b"R", b"".join(accepted(n, n) for n in range(1, 5_001))])
    assert requests_of(session.outgoing()) == [{"op": "replay", "from": 5_001, "count": 5_000}]
    session.receive([b"R", accepted(12_001, 1)])
    assert session.outgoing() == []
    session.receive([b"R", b"".join(accepted(n, n) for n in range(5_001, 10_001))])
    assert requests_of(session.outgoing()) == [{"op": "replay", "from": 10_001, "count": 2_000}]
    assert session.state is SessionState.CATCHING_UP
    reports = session.receive([b"R", b"".join(accepted(n, n) for n in range(10_001, 12_001))])
    assert session.state is SessionState.READY
    assert reports[-1].report_seq == 12_001


def test_a_heartbeat_during_a_replay_asks_for_nothing_twice():
    session = OrderSession(report_seq=0)
    logon(session, report_seq=6_000)
    beat = {"op": "heartbeat", "trading_date": 20250102, "phase": 2, "report_seq": 6_000}
    session.receive([b"M", msgspec.msgpack.encode(beat)])
    session.receive([b"R", accepted(1, 1)])
    session.receive([b"M", msgspec.msgpack.encode(beat)])
    assert session.outgoing() == []
    session.receive([b"M", msgspec.msgpack.encode(beat)])
    assert requests_of(session.outgoing()) == [{"op": "replay", "from": 2, "count": 5_000}]
