"""FIX 4.4 by its bytes: codec, numbers, gaps, resends, and what reports mean."""

import pytest

from cea_exchange.domain.records import CommandKind, OrderFlag, Side, Tif
from cea_exchange.loadtest.targets import Command, Outcome
from cea_exchange.loadtest.targets.fix import Fix
from cea_exchange.loadtest.targets.fix_messages import Decoder, FixError, decode, encode, framed
from cea_exchange.loadtest.targets.fix_session import FixSession

pytestmark = pytest.mark.unit

AT = b"20250102-01:30:00.000"


def raw(text):
    """Return a message with its length and checksum made right, by another way than the codec's."""
    body = text.replace("|", "\x01").encode()
    head = b"8=FIX.4.4\x019=" + str(len(body)).encode() + b"\x01"
    total = 0
    for byte in head + body:
        total = (total + byte) & 0xFF
    return head + body + f"10={total:03d}\x01".encode()


def session():
    return FixSession(b"LOAD1", b"EXEC", clock=lambda: AT)


def said(session):
    return list(Decoder().feed(session.outgoing()))


def incoming(number, kind, more="", again=False):
    dup = "43=Y|" if again else ""
    return raw(f"35={kind}|49=EXEC|56=LOAD1|34={number}|{dup}52={AT.decode()}|{more}")


def logged_on():
    one = session()
    one.connected()
    said(one)
    assert list(one.receive(incoming(1, "A", "98=0|108=30|141=Y|"))) == []
    assert one.is_ready
    return one


# -- Messages --------------------------------------------------------------------------------------


def test_a_message_is_what_the_standard_says_byte_for_byte():
    fields = encode([(35, b"0"), (49, b"A"), (56, b"B")])
    assert framed(fields) == raw("35=0|49=A|56=B|")


def test_messages_are_found_in_a_stream_however_it_is_cut():
    stream = b"".join(raw(f"35=8|34={number}|58=x|") for number in range(1, 4))
    for step in range(1, len(stream)):
        decoder = Decoder()
        found = []
        for first in range(0, len(stream), step):
            found += decoder.feed(stream[first : first + step])
        assert [message[34] for message in found] == [b"1", b"2", b"3"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (raw("35=0|").replace(b"FIX.4.4", b"FIX.4.2"), "begins with"),
        (b"8=FIX.4.4\x019=x\x01", "a length behind 9="),
        (b"8=FIX.4.4\x019=\x01", "a length behind 9="),
        (b"8=FIX.4.4\x019=123456789", "a length behind 9="),
        (b"HTTP/1.1 400", "begins with"),
        (raw("35=0|")[:-4] + b"000\x01", "checksum"),
        (raw("35=0|no field|"), "tag=value"),
    ],
)
def test_bytes_that_are_none_are_refused(data, expected):
    with pytest.raises(FixError, match="expected") as error:
        list(Decoder().feed(data))
    assert expected in str(error.value)


def test_the_first_field_of_a_tag_counts():
    assert decode(raw("35=8|58=one|58=two|"))[58] == b"one"


# -- The session -----------------------------------------------------------------------------------


def test_the_first_logon_resets_the_numbers_and_a_later_one_does_not():
    one = session()
    one.connected()
    (logon,) = said(one)
    assert (logon[35], logon[34], logon[141], logon[108]) == (b"A", b"1", b"Y", b"30")
    list(one.receive(incoming(1, "A", "98=0|108=30|141=Y|")))
    one.connected()
    (logon,) = said(one)
    assert logon[34] == b"2" and 141 not in logon
    assert not one.is_ready


def test_what_is_sent_while_there_is_no_session_is_sent_when_the_other_side_misses_it():
    one = logged_on()
    one.connected()
    said(one)
    one.send(b"D", b"11=7\x01")
    one.heartbeat()
    assert one.outgoing() == b""
    list(one.receive(incoming(2, "A", "98=0|108=30|")))
    list(one.receive(incoming(3, "2", "7=3|16=0|")))
    order, fill = said(one)
    assert (order[35], order[34], order[43], order[11]) == (b"D", b"3", b"Y", b"7")
    assert (fill[35], fill[34], fill[123], fill[36]) == (b"4", b"4", b"Y", b"5")


def test_what_is_missing_is_asked_for_once_and_delivered_in_order_once():
    one = logged_on()
    assert list(one.receive(incoming(4, "8", "58=four|"))) == []
    assert list(one.receive(incoming(5, "8", "58=five|"))) == []
    (asked,) = said(one)
    assert (asked[35], asked[7], asked[16]) == (b"2", b"2", b"0")
    assert one.gaps == 1
    again = incoming(2, "8", "58=two|", again=True)
    filled = incoming(3, "4", "123=Y|36=4|", again=True)
    rest = incoming(4, "8", "58=four|", again=True) + incoming(5, "8", "58=five|", again=True)
    found = list(one.receive(again + filled + rest + again))
    assert [message[58] for message in found] == [b"two", b"four", b"five"]
    assert [message[58] for message in one.receive(incoming(6, "8", "58=six|"))] == [b"six"]


def test_tests_are_answered_and_asked():
    one = logged_on()
    list(one.receive(incoming(2, "1", "112=HELLO|")))
    (beat,) = said(one)
    assert (beat[35], beat[112]) == (b"0", b"HELLO")
    name = one.test()
    list(one.receive(incoming(3, "0", f"112={name.decode()}|")))
    assert name in one.tests_answered


def test_a_logout_says_why_and_a_number_too_low_is_an_error():
    one = logged_on()
    list(one.receive(incoming(2, "5", "58=go away|")))
    assert one.ended == "go away" and not one.is_ready
    two = logged_on()
    with pytest.raises(FixError, match="expected message 2 or later, got 1"):
        list(two.receive(incoming(1, "8")))


def test_a_reset_of_the_numbers_is_followed():
    one = logged_on()
    list(one.receive(incoming(9, "4", "36=20|")))
    assert [message[58] for message in one.receive(incoming(20, "8", "58=x|"))] == [b"x"]


# -- Commands and reports --------------------------------------------------------------------------


class Seat:
    def __init__(self):
        self.session, self.numbers = logged_on(), {}
        self.unsent, self.socket = bytearray(), None


def target(**options):
    found = Fix(port="1", **options)
    found._symbols = [b"CEA23"]
    found._seat_of = {0: Seat()}
    return found


def command(number, kind=CommandKind.ENTER, **fields):
    values = {"participant": 0, "product": 0, "side": Side.BUY, "price": 9749, "tonnes": 100}
    return Command(number, kind, **values | fields)


def sent(of, *commands):
    of.send(commands)
    seat = of._seat_of[0]
    seat.unsent += seat.session.outgoing()
    found = list(Decoder().feed(bytes(seat.unsent)))
    seat.unsent.clear()
    return found


def heard(of, text):
    return list(of._translated(of._seat_of[0], decode(raw(text))))


def test_an_order_has_all_its_fields():
    of = target(prefix="R1-")
    (order,) = sent(of, command(5, tif=Tif.IOC, flags=OrderFlag.POST_ONLY))
    assert {tag: order[tag] for tag in (35, 11, 55, 54, 38, 40, 44, 59, 18)} == {
        35: b"D", 11: b"R1-5", 55: b"CEA23", 54: b"1", 38: b"100", 40: b"2", 44: b"97.49",
        59: b"3", 18: b"6",
    }  # fmt: skip


def test_what_is_prepared_is_sent_as_it_would_be_otherwise():
    for kind in (CommandKind.ENTER, CommandKind.CANCEL, CommandKind.AMEND):
        one, other = target(), target()
        next_one, later = command(8, kind, order=3), command(9, kind, order=4)
        one.prepare(next_one)
        # Another may leave first, as an answer to a block does.
        fields_of = [sent(each, later, next_one) for each in (one, other)]
        for fields, expected in zip(*fields_of, strict=True):
            differing = {tag for tag in expected if fields[tag] != expected[tag]}
            assert differing <= {52, 60}
            assert fields.keys() == expected.keys()


def test_what_is_prepared_names_an_order_by_what_it_is_called_when_it_leaves():
    one = target()
    sent(one, command(1))
    sent(one, command(2, CommandKind.AMEND, order=1))
    cancel = command(3, CommandKind.CANCEL, order=1)
    one.prepare(cancel)
    heard(one, "35=8|150=5|11=2|41=1|151=50|")
    assert sent(one, cancel)[0][41] == b"2"


def test_a_cancel_names_what_the_order_is_called_now():
    of = target()
    sent(of, command(1))
    heard(of, "35=8|11=1|150=0|151=100|")
    (replace,) = sent(of, command(2, CommandKind.AMEND, order=1, tonnes=50))
    assert (replace[35], replace[41], replace[11], replace[38]) == (b"G", b"1", b"2", b"50")
    assert heard(of, "35=8|11=2|41=1|150=5|151=50|")[0][:3] == (Outcome.ACCEPTED, 2, 50)
    (cancel,) = sent(of, command(3, CommandKind.CANCEL, order=1))
    assert (cancel[35], cancel[41], cancel[11]) == (b"F", b"2", b"3")
    found = heard(of, "35=8|11=3|41=2|150=4|151=0|")
    assert [(each.outcome, each.number) for each in found] == [
        (Outcome.ACCEPTED, 3), (Outcome.ENDED, 1),
    ]  # fmt: skip


def test_a_trade_is_of_its_order_whatever_that_is_called_and_answers_it_if_nothing_did():
    of = target()
    sent(of, command(1), command(2))
    found = heard(of, "35=8|11=1|150=F|151=40|880=T9|")
    assert [(each.outcome, each.number, each.tonnes_open, each.trade) for each in found] == [
        (Outcome.ACCEPTED, 1, 100, 0), (Outcome.TRADED, 1, 40, "T9"),
    ]  # fmt: skip
    heard(of, "35=8|11=2|150=0|151=100|")
    sent(of, command(3, CommandKind.AMEND, order=2))
    heard(of, "35=8|11=3|41=2|150=5|151=50|")
    (traded,) = heard(of, "35=8|11=3|150=2|151=0|")
    assert (traded.outcome, traded.number, traded.tonnes_open) == (Outcome.TRADED, 2, 0)


@pytest.mark.parametrize(
    "text",
    [
        "35=8|11=1|150=8|103=99|58=order 17 is too large|",
        "35=9|11=1|102=99|58=order 17 is too large|",
        "35=3|45=2|373=99|58=order 17 is too large|",
        "35=j|45=0|379=1|380=99|58=order 17 is too large|",
    ],
)
def test_every_kind_of_refusal_answers_its_command_with_a_code(text):
    of = target()
    sent(of, command(1))
    (refused,) = heard(of, text)
    assert (refused.outcome, refused.number) == (Outcome.REJECTED, 1)
    assert refused.code == "99 order # is too large"


def test_what_is_pending_says_nothing_yet_and_an_expiry_ends_the_order():
    of = target()
    sent(of, command(1))
    assert heard(of, "35=8|11=1|150=A|151=100|") == []
    assert [each.outcome for each in heard(of, "35=8|11=1|150=0|151=100|")] == [Outcome.ACCEPTED]
    assert [each.outcome for each in heard(of, "35=8|11=1|150=C|151=0|")] == [Outcome.ENDED]
