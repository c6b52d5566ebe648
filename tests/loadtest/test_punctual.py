"""A sending thread runs before all that is ordinary where it may, and only while it sends."""

import json
import os
import subprocess
import sys

import pytest

from cea_exchange.loadtest import punctual
from support.patience import patience

SCRIPT = """
import json, os, subprocess, sys, threading
from cea_exchange.loadtest.punctual import real_time

def policy():
    return os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK

def is_allowed():
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(2))
    except OSError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True

expected, seen = is_allowed(), [policy()]
with real_time() as allowed:
    seen.append(policy())
    other = threading.Thread(target=lambda: seen.append(policy()))
    other.start()
    other.join()
    ask = "import os; print(os.sched_getscheduler(0))"
    seen.append(int(subprocess.check_output([sys.executable, "-c", ask])))
seen.append(policy())
with real_time(wanted=False) as refused:
    seen.append(policy())
print(json.dumps([expected, allowed, refused, seen]))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is raised")


def test_only_the_sending_thread_is_in_real_time_and_only_while_it_sends():
    output = subprocess.check_output(
        [sys.executable, "-c", SCRIPT], text=True, timeout=60 * patience()
    )
    expected, allowed, refused, seen = json.loads(output)
    assert allowed == expected and not refused
    sending = os.SCHED_FIFO if expected else os.SCHED_OTHER
    assert seen == [os.SCHED_OTHER, sending] + 4 * [os.SCHED_OTHER]


@pytest.mark.parametrize("error", [PermissionError, OSError])
def test_where_it_is_not_allowed_all_runs_as_before(monkeypatch, error):
    def refused(*arguments):
        raise error

    monkeypatch.setattr(os, "sched_setscheduler", refused)
    assert not punctual.is_real_time_allowed()


def test_a_system_that_allows_the_lowest_priority_only_gets_no_sender_above_its_helper(monkeypatch):
    asked = []

    def lowest_only(process, policy, param):
        asked.append(param.sched_priority)
        if param.sched_priority > punctual.REAL_TIME_PRIORITY:
            raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", lowest_only)
    assert not punctual.is_real_time_allowed()
    assert asked == [punctual.HELPER_PRIORITY, 0]
