"""What `contrib/` tells an operator is so: every setting with its default, units, alert rules."""

import json
import re
import shutil
import subprocess
import tomllib

import msgspec
import pytest

from cea_exchange.ccer.config import CcerConfig
from cea_exchange.ccer.metrics import CcerMetrics
from cea_exchange.cluster.way_in import metrics as way_in_metrics
from cea_exchange.cluster.way_in.config import WayInConfig
from cea_exchange.platform.config import PlatformConfig
from cea_exchange.platform.metrics import PlatformMetrics
from cea_exchange.protocol.settings import settings_read
from cea_exchange.registry.config import RegistryConfig
from cea_exchange.registry.control import metrics as registry_metrics
from cea_exchange.simulators.bank.daemon import BankConfig
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.operations import metrics as venue_metrics
from cea_exchange.venue.publication.relay import RelayConfig
from cea_exchange.venue.replication import metrics as cluster_metrics
from support.patience import patience
from support.places import ROOT

CONTRIB = ROOT / "contrib"
CONFIGS = {
    "venue.toml": VenueConfig,
    "registry.toml": RegistryConfig,
    "platform.toml": PlatformConfig,
    "ccer.toml": CcerConfig,
    "relay.toml": RelayConfig,
    "way_in.toml": WayInConfig,
    "bank.toml": BankConfig,
}
PROGRAM = r"/etc/cea-exchange/\w+\.sh|/opt/cea-exchange/bin/cea-exchange"
UNITS = ("venue", "registry", "bank", "ccer", "platform")
# Text, not a setting, begins with a blank behind the #.
SETTING = re.compile(r"^#(?=[a-z_]+ = |\[)", re.MULTILINE)


def missing_and_extra(shown, settings_type, where=""):
    """Yield what a config lists wrongly, with the line that would put it right."""
    fields = {field.name: field for field in msgspec.structs.fields(settings_type)}
    for name in shown.keys() - fields.keys():
        yield f"{where}{name} is no setting"
    for name, field in fields.items():
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        default = msgspec.to_builtins(default)
        if name not in shown:
            yield f"add `#{where}{name} = {default!r}` and say what it is"
        elif isinstance(default, dict):
            yield from missing_and_extra(shown[name], field.type, f"{name}.")
        elif default is not None and list_of(shown[name]) != list_of(default):
            yield f"{where}{name} is {default!r} by default, not {shown[name]!r}"


def list_of(value):
    return list(value) if isinstance(value, (tuple, list)) else value


@pytest.mark.parametrize("name", CONFIGS)
def test_every_setting_is_listed_with_its_default(name):
    shown = tomllib.loads(SETTING.sub("", (CONTRIB / name).read_text(encoding="utf-8")))
    found = [f"contrib/{name}: {what}" for what in missing_and_extra(shown, CONFIGS[name])]
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_config_is_read_as_it_is_and_gives_the_defaults(name):
    assert settings_read(CONTRIB / name, CONFIGS[name]) == CONFIGS[name]()


@pytest.mark.parametrize("name", CONFIGS)
def test_every_example_is_a_value_that_is_taken(name, tmp_path):
    text = SETTING.sub("", (CONTRIB / name).read_text(encoding="utf-8"))
    # A system clock takes no start.
    path = tmp_path / name
    path.write_text(text.replace('kind = "system"', 'kind = "manual"'), encoding="utf-8")
    assert isinstance(settings_read(path, CONFIGS[name]), CONFIGS[name])


def test_the_reader_of_configs_finds_what_is_wrong():
    shown = {"clock": {"kind": "system", "pace": 2}, "profile": "open"}
    found = list(missing_and_extra(shown, VenueConfig))
    assert "clock.pace is no setting" in found
    assert "profile is 'cea' by default, not 'open'" in found
    assert "add `#clock.speed = 1.0` and say what it is" in found


@pytest.mark.parametrize("daemon", UNITS)
def test_a_unit_starts_a_command_there_is_and_is_shut_in(daemon):
    unit = (CONTRIB / "systemd" / f"cea-exchange-{daemon}.service").read_text(encoding="utf-8")
    lines = unit.splitlines()
    (start,) = [line for line in lines if line.startswith("ExecStart=")]
    assert f"/bin/cea-exchange {daemon} serve --config" in start and "--data" in start
    for needed in ("NoNewPrivileges=yes", "ProtectSystem=strict", "Restart=on-failure"):
        assert needed in lines
    assert daemon == "bank" or {"Type=notify", "WatchdogSec=120"} <= set(lines)
    named = {line.partition("=")[0] for line in lines}
    assert {"ReadWritePaths", "LimitNOFILE", "TimeoutStopSec", "RestartPreventExitStatus"} <= named


SERVICES = sorted(path.name for path in (CONTRIB / "systemd").glob("*.service"))
EXPOSURE_TENTHS_MAX = 15
"""Of systemd's scale from 0 (shut in) to 100 (exposed); units without hardening have 77."""


def directives(name):
    """Return a unit's directives, as (name, value); a filter has several lines."""
    lines = (CONTRIB / "systemd" / name).read_text(encoding="utf-8").splitlines()
    return {tuple(line.split("=", 1)) for line in lines if re.match("[A-Z]", line)}


HARDENING = {
    (name, value)
    for name, value in directives("cea-exchange-venue.service")
    if name.startswith(("Protect", "Private", "Restrict", "SystemCall", "Memory", "Capability"))
    or name in ("NoNewPrivileges", "LockPersonality", "UMask", "LimitCORE")
}
# Those that change what a refused call sees, not what is refused.
REFUSAL = {("SystemCallErrorNumber", "EPERM")}


def test_the_venues_unit_has_what_others_are_compared_with():
    assert len(HARDENING) == 24
    assert {("ProtectSystem", "strict"), ("SystemCallFilter", "~@privileged")} < HARDENING


@pytest.mark.parametrize("name", SERVICES)
def test_each_unit_is_shut_in_as_the_venues_is(name):
    found = directives(name)
    hardened = {directive for directive, _ in HARDENING | REFUSAL}
    assert {each for each in found if each[0] in hardened} - REFUSAL == HARDENING
    assert {("User", "cea-exchange"), ("Group", "cea-exchange")} < found


@pytest.mark.parametrize("name", SERVICES)
def test_litestream_may_be_refused_a_call_and_no_other_program(name):
    """It gives its files an owner and passes over a refusal; a signal would end it."""
    text = (CONTRIB / "systemd" / name).read_text(encoding="utf-8")
    runs_it = "bin/litestream" in text or "ledger_copy_drill.sh" in text
    assert (REFUSAL < directives(name)) == runs_it


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
@pytest.mark.parametrize("name", SERVICES)
def test_systemd_calls_no_unit_exposed(name):
    path = str(CONTRIB / "systemd" / name)
    threshold = f"--threshold={EXPOSURE_TENTHS_MAX}"
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", threshold, path]
    checked = subprocess.run(
        command, capture_output=True, text=True, timeout=60 * patience(), check=False
    )
    assert checked.returncode == 0, checked.stdout[-200:] + checked.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
@pytest.mark.parametrize("daemon", UNITS)
def test_systemd_understands_the_unit(daemon, tmp_path):
    unit = (CONTRIB / "systemd" / f"cea-exchange-{daemon}.service").read_text(encoding="utf-8")
    # The program is elsewhere while testing.
    path = tmp_path / f"cea-exchange-{daemon}.service"
    path.write_text(unit.replace("/opt/cea-exchange/bin/cea-exchange", "/bin/true"))
    command = ["systemd-analyze", "verify", "--man=no", str(path)]
    checked = subprocess.run(
        command, capture_output=True, text=True, timeout=60 * patience(), check=False
    )
    complaints = [line for line in checked.stderr.splitlines() if path.name in line]
    assert not complaints


@pytest.mark.parametrize("file", ["alerts.yml", "grafana.json"])
def test_alert_rules_and_board_ask_for_metrics_there_are(file):
    names = set()
    for module in (venue_metrics, registry_metrics):
        names |= {f"{name}_total" for name in (*module.COUNTERS, *module.OTHERS)}
        names |= {*module.GAUGES, *module.OTHERS}
        names |= {f"{name}_bucket" for name in module.HISTOGRAMS}
    names |= cluster_metrics.GAUGES.keys() | way_in_metrics.GAUGES.keys()
    for institution, kind in (("platform", PlatformMetrics), ("ccer", CcerMetrics)):
        names |= {f"cea_{institution}_{name}" for name in kind.gauges}
    text = (CONTRIB / "prometheus" / file).read_text(encoding="utf-8")
    asked = set(re.findall(r"\bcea_\w+", text))
    assert asked and asked <= names


def test_the_board_shows_each_panel_somewhere_else():
    board = json.loads((CONTRIB / "prometheus" / "grafana.json").read_text(encoding="utf-8"))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(places) > 10 and len(set(places)) == len(places)
    assert all(target["expr"] for panel in board["panels"] for target in panel["targets"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
@pytest.mark.parametrize("timer", ["nightly", "ledger-drill", "log-check"])
def test_systemd_understands_the_timer(timer, tmp_path):
    for suffix in ("service", "timer"):
        name = f"cea-exchange-{timer}.{suffix}"
        text = (CONTRIB / "systemd" / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(re.sub(PROGRAM, "/bin/true", text))
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)]
    checked = subprocess.run(
        command, capture_output=True, text=True, timeout=60 * patience(), check=False
    )
    assert not [line for line in checked.stderr.splitlines() if timer in line]
