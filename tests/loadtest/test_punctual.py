"""A sending process runs before all that is ordinary, where it may; what it starts does not."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import json, os, subprocess, sys, threading
from cea_exchange.loadtest.punctual import is_real_time, priority_raise

before = is_real_time()
priority_raise()
thread = []
other = threading.Thread(target=lambda: thread.append(is_real_time()))
other.start()
other.join()
ask = "from cea_exchange.loadtest.punctual import is_real_time; print(is_real_time())"
child = subprocess.check_output([sys.executable, "-c", ask], text=True).strip()
print(json.dumps([before, is_real_time(), thread[0], child]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is raised")
def test_only_the_sending_thread_is_in_real_time():
    output = subprocess.check_output([sys.executable, "-c", SCRIPT], text=True, timeout=60)
    before, after, thread, child = json.loads(output)
    if not after:
        pytest.skip("real-time priority is not allowed here")
    assert [before, thread, child] == [False, False, "False"]
