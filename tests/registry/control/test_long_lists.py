"""Lists that grow with the years are told page by page: a message has a bound."""

import msgspec

from cea_exchange.registry.participants.public_notices import notice_publish
from support.registry.service_callers import Staff

MESSAGE_BYTES_MAX = 1 << 20


def test_more_notices_than_a_message_takes_come_in_pages(registry):
    """CEA-ENF-09"""
    content = {"entity": "某" * 200, "order": "执" * 200}
    with registry.transaction():
        for _ in range(1_200):
            notice_publish(registry.store, 20260715, "deduction", content)
    staff = Staff(registry)
    found, following, answers = [], 1, 0
    while following is not None:
        answer = staff.rex("public_notices", first=following)
        assert len(msgspec.msgpack.encode(answer)) < MESSAGE_BYTES_MAX
        found += answer["notices"]
        following, answers = answer["next"], answers + 1
    assert list(range(1, 1_201)) == [notice["number"] for notice in found]
    assert answers > 2
    two = staff.rex("public_notices", first=7, count=2)
    assert [7, 8] == [notice["number"] for notice in two["notices"]] and two["next"] == 9


def test_freezes_come_in_pages(registry):
    registry.account_open("carol")
    order = {"order": "(2026) E 1", "court": "Wuhan Court", "until": 2099_12_31}
    ids = [registry.enforcement.freeze("carol", None, 5, **order) for _ in range(3)]
    staff = Staff(registry)
    first = staff.rex("freezes", count=2)
    second = staff.rex("freezes", count=2, first=first["next"])
    shown = first["freezes"] + second["freezes"]
    assert ids == [freeze["freeze_id"] for freeze in shown] and second["next"] is None
