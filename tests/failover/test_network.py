"""A network of one's own: what passes, what a cut stops, and that nothing of it is left."""

import subprocess
import sys
from pathlib import Path

import pytest

from failover.network import can_be_private
from support.patience import patience
from torture.run import python_path

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not can_be_private(), reason="no namespaces for this user"),
]

TRIAL = """
import os, subprocess, sys, time
from failover.disks import Disk
from failover.network import ANYBODY, PRIVATE, Network, enter
from support.patience import patience
if PRIVATE not in os.environ:
    enter(["-c", sys.argv[1], sys.argv[1], sys.argv[2]])
from pathlib import Path
network = Network()
hosts = {name: network.add(name) for name in ("a", "b", "c")}
hears = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 5));" \\
        "print('ready', flush=True); print('heard', s.recv(9))"
def passes(source, target):
    listening = subprocess.Popen(
        network.command(target, [sys.executable, "-c", hears]),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    listening.stdout.readline()
    says = f"import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);" \\
           f"[(s.sendto(b'x', ('{hosts[target]}', 5)), time.sleep(0.1)) for _ in range(4)]"
    subprocess.run(network.command(source, [sys.executable, "-c", says]), check=False)
    try:
        return "heard" in listening.communicate(timeout=0.3 * patience())[0]
    except subprocess.TimeoutExpired:
        listening.kill()
        listening.communicate()
        return False
assert passes("a", "b") and passes("b", "a")
network.cut("a", "b")
network.cut("a", "b")
assert not passes("a", "b") and passes("b", "a") and passes("a", "c")
network.heal("a", "b")
assert not passes("a", "b")
network.heal("a", "b")
network.cut(ANYBODY, "c")
assert passes("a", "b") and passes("c", "b") and not passes("b", "c")
network.heal(ANYBODY, "c")
assert passes("b", "c")
folder = Path(sys.argv[2])
disk = Disk(folder / "disk", folder / "disk.img")
disk.fill()
try:
    (folder / "disk" / "more").write_bytes(bytes(1 << 20))
    raise SystemExit("there was room on a full disk")
except OSError as error:
    assert error.errno == 28, error
disk.empty()
(folder / "disk" / "more").write_bytes(bytes(1 << 20))
disk.close()
subprocess.run(["sh", "-c", "sleep 0.05 &"], check=True)
def dead():
    stats = [file.read_text() for file in Path("/proc").glob("[0-9]*/stat")]
    return [stat for stat in stats if stat.rpartition(")")[2].split()[0] == "Z"]
until = time.monotonic() + 10 * patience()
time.sleep(0.2)
while dead():
    assert time.monotonic() < until, dead()
    time.sleep(0.05)
print("all as expected")
"""


def test_a_cut_stops_what_it_says_and_a_full_disk_is_full(tmp_path):
    mounts = Path("/proc/mounts").read_text()
    links = subprocess.run(["ip", "link"], capture_output=True, text=True, check=True).stdout
    ran = subprocess.run(
        [sys.executable, "-c", TRIAL, TRIAL, str(tmp_path)],
        env={"PYTHONPATH": python_path(), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
        timeout=60 * patience(),
        check=False,
    )
    assert ran.stdout.endswith("all as expected\n"), ran.stderr
    assert Path("/proc/mounts").read_text() == mounts
    assert subprocess.run(["ip", "link"], capture_output=True, text=True).stdout == links
