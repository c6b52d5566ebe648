"""What an operator is told where nobody can be asked."""

import json
import subprocess
import sys

import pytest

from cea_exchange.institution.control.admin_client import InstitutionUnavailable
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.control.admin_client import registry_ask
from cea_exchange.venue.operations.admin_client import AdminError, admin_ask
from support.patience import patience


def test_a_venue_that_has_ended_is_said_to_have(tmp_path):
    keys = CurveKeys.new()
    keys.save(tmp_path / "keys", "admin")
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(60 * patience())
    shown = {"admin": "tcp://127.0.0.1:1", "public_key": keys.public, "pid": process.pid}
    (tmp_path / "venue").mkdir()
    (tmp_path / "venue.lock").touch()
    (tmp_path / "venue" / "endpoints.json").write_text(json.dumps(shown))
    with pytest.raises(AdminError, match=f"not running, process {process.pid} is gone"):
        admin_ask(tmp_path, {"op": "status"})


@pytest.mark.parametrize("field", [{"trade_id": 10**30}, {"why": "\udcff"}])
def test_what_no_message_can_hold_is_refused_in_one_line(tmp_path, field):
    with pytest.raises(AdminError, match="text and numbers that fit"):
        admin_ask(tmp_path, {"op": "bust", **field})


@pytest.mark.parametrize("field", [{"cash": 10**30}, {"why": "\udcff"}])
def test_what_no_message_can_hold_is_not_sent_to_the_registry(tmp_path, field):
    with pytest.raises(InstitutionUnavailable, match="text and numbers that fit"):
        registry_ask(tmp_path, {"op": "pay_in", **field})


@pytest.mark.parametrize(
    "content",
    [
        *("[" * 100_000, "[]", "{}", '{"admin": 5}', '{"admin": "\\ud800", "public_key": "%s"}'),
        *('{"admin": "nowhere", "public_key": "%s"}', '{"admin": "tcp://a:1", "public_key": 7}'),
        *('{"admin": "a", "public_key": "%s", "pid": "x"}', '{"admin": "a", "public_key": "no"}'),
        '{"admin": "a", "public_key": "%s", "pid": 99999999999999999999}',
    ],
)
def test_a_file_that_says_no_place_is_one_error(tmp_path, content):
    keys = CurveKeys.new()
    keys.save(tmp_path / "keys", "admin")
    (tmp_path / "venue").mkdir()
    (tmp_path / "venue.lock").touch()
    (tmp_path / "venue" / "endpoints.json").write_text(content.replace("%s", keys.public))
    with pytest.raises(AdminError):
        admin_ask(tmp_path, {"op": "status"})


def test_a_registry_that_has_ended_is_said_to_have(tmp_path):
    for name in ("admin", "registry"):
        CurveKeys.new().save(tmp_path / "keys", name)
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(60 * patience())
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "lock").touch()
    shown = {"admin": "tcp://127.0.0.1:1", "pid": process.pid}
    (tmp_path / "registry" / "endpoints.json").write_text(json.dumps(shown))
    with pytest.raises(InstitutionUnavailable, match=f"not running, process {process.pid} is gone"):
        registry_ask(tmp_path, {"op": "status"})
