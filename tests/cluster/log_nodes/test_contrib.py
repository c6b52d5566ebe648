"""What contrib/ says of a log node is so: its settings, its unit, and the operator's page."""

import re
import shutil
import subprocess
import tomllib

import msgspec
import pytest

from cea_exchange.cluster.log_nodes.rights import HOLDERS
from cea_exchange.cluster.log_nodes.settings import LogNodeSettings
from cea_exchange.protocol.settings import settings_read
from support.patience import patience
from support.places import ROOT

CONTRIB = ROOT / "contrib"
SETTING = re.compile(r"^#(?=[a-z_]+ = )", re.MULTILINE)
PAGE = (CONTRIB / "cluster.md").read_text(encoding="utf-8")
UNIT = (CONTRIB / "systemd" / "cea-exchange-log-node.service").read_text(encoding="utf-8")


def test_the_settings_are_read_as_they_are_and_show_every_default():
    text = (CONTRIB / "log_node.toml").read_text(encoding="utf-8")
    settings = settings_read(CONTRIB / "log_node.toml", LogNodeSettings)
    assert settings.node == "log-1" and len(settings.peers) == 2
    shown = tomllib.loads(SETTING.sub("", text))
    fields = {field.name: field for field in msgspec.structs.fields(LogNodeSettings)}
    assert shown.keys() == fields.keys()
    for name, field in fields.items():
        if field.default is not msgspec.NODEFAULT and field.default is not None:
            assert shown[name] == field.default, name


def test_the_settings_with_every_example_are_taken(tmp_path):
    text = SETTING.sub("", (CONTRIB / "log_node.toml").read_text(encoding="utf-8"))
    file = tmp_path / "log_node.toml"
    file.write_text(text)
    assert settings_read(file, LogNodeSettings).address == "tls://127.0.0.1:4222"


def test_the_unit_starts_the_command_there_is_and_is_shut_in():
    lines = UNIT.splitlines()
    (start,) = [line for line in lines if line.startswith("ExecStart=")]
    assert "/bin/cea-exchange cluster log serve --config /etc/cea-exchange/log_node.toml" in start
    for needed in (
        "Type=notify", "WatchdogSec=120", "Restart=on-failure", "RestartPreventExitStatus=2",
        "NoNewPrivileges=yes", "ProtectSystem=strict", "ReadWritePaths=/var/lib/cea-exchange-log",
    ):  # fmt: skip
        assert needed in lines
    assert "--data /var/lib/cea-exchange-log" in start


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_understands_the_unit(tmp_path):
    path = tmp_path / "cea-exchange-log-node.service"
    path.write_text(UNIT.replace("/opt/cea-exchange/bin/cea-exchange", "/bin/true"))
    command = ["systemd-analyze", "verify", "--man=no", str(path)]
    checked = subprocess.run(
        command, capture_output=True, text=True, timeout=60 * patience(), check=False
    )
    assert not [line for line in checked.stderr.splitlines() if path.name in line]


def test_the_page_names_the_rights_and_commands_there_are():
    rights = re.findall(r"^\| `(\w+)` \| (?:the|ways|operators)", PAGE, re.MULTILINE)
    assert set(rights) == set(HOLDERS)
    named = set(re.findall(r"cluster (log \w+|[a-z][\w-]*)", PAGE))
    shown = {"log check", "log serve", "log secrets", "status", "handover", "verify", "demo"}
    assert {*shown, "way-in"} <= named
