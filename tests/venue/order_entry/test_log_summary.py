"""Thousands of logons in a second are a line in the log, not thousands."""

from cea_exchange.venue.order_entry.log_summary import LogSummary


class Lines(list):
    def info(self, event, **fields):
        self.append((event, fields))


def test_one_event_is_a_line_at_once():
    lines = Lines()
    summary = LogSummary(lines, "logon")
    summary.note(5.0, account="alice")
    summary.turn(5.5)
    summary.note(6.0, account="bob")
    assert lines == [
        ("logon", {"account": "alice", "count": 1}),
        ("logon", {"account": "bob", "count": 1}),
    ]


def test_a_flood_is_a_line_a_second_and_none_is_uncounted():
    lines = Lines()
    summary = LogSummary(lines, "logon")
    for number in range(4_000):
        summary.note(number / 1_000, account=f"P{number}")
    summary.turn(4.0)
    summary.turn(99.0)
    assert [fields["count"] for _, fields in lines] == [1, 1_000, 1_000, 1_000, 999]
    assert lines[-1] == ("logon", {"account": "P3999", "count": 999})
