"""What `SECURITY.md` claims has its test, and names what there is."""

import ast
import json
import re
import shlex

import pytest
import typer

from cea_exchange.ccer import roles as ccer_roles
from cea_exchange.ccer.config import CcerConfig
from cea_exchange.ccer.daemon import CcerDaemon
from cea_exchange.cli.main import app_build
from cea_exchange.cluster.way_in.config import WayInConfig
from cea_exchange.cluster.way_in.daemon import WayInDaemon
from cea_exchange.institution.control.request import REQUEST_BYTES_MAX
from cea_exchange.institution.venue_link.setting import VenueSetting
from cea_exchange.institution.venue_link.sockets import FEED_REQUEST_BYTES_MAX
from cea_exchange.platform import roles as platform_roles
from cea_exchange.platform.config import PlatformConfig
from cea_exchange.platform.daemon import PlatformDaemon
from cea_exchange.protocol.control import Role
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.bank import requests
from cea_exchange.registry.config import RegistryConfig
from cea_exchange.registry.daemon import RegistryDaemon
from cea_exchange.registry.participants import roles as registry_roles
from cea_exchange.simulators.bank.daemon import BankConfig, BankDaemon
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.daemon import VenueDaemon
from cea_exchange.venue.publication import snapshot_service
from cea_exchange.venue.publication.relay import Relay, RelayConfig, UpstreamSought, endpoints_write
from support.security_page import ROOT, message_bytes_max, page, socket_rows

TEST = re.compile(r"\b(tests/[\w/]+\.py)(?:::(\w+))?")
BULLET = re.compile(r"^- (?:.+\n)(?: {2}.+\n)*", re.MULTILINE)
COMMAND = re.compile(r"^ {4}cea-exchange (.+)$", re.MULTILINE)
SAYS_WHAT_IS_NOT = "## What does not hold"


def functions_of(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def missing_of(text):
    """Yield tests that a text names and that are not there."""
    for path, name in TEST.findall(text):
        if not (ROOT / path).is_file():
            yield path
        elif name not in functions_of(ROOT / path):
            yield f"{path}::{name}"


def test_every_named_test_exists():
    assert len(TEST.findall(page())) > 50
    assert list(missing_of(page())) == []


def test_every_claim_names_a_test():
    claims = BULLET.findall(page().partition(SAYS_WHAT_IS_NOT)[0])
    assert len(claims) > 40
    assert [claim for claim in claims if not TEST.search(claim)] == []


def test_a_test_that_is_not_there_is_noticed():
    here = "tests/docs/test_security_page.py"
    text = f"`{here}::test_nothing` `tests/no.py::test_a` `{here}::test_every_named_test_exists`"
    assert list(missing_of(text)) == [f"{here}::test_nothing", "tests/no.py"]


# -- Sockets ---------------------------------------------------------------------------------------


@pytest.fixture
def endpoints(tmp_path):
    """Each program's endpoints file, of one that ran."""
    for name in ("venue", "registry", "platform", "ccer", "bank", "admin", "way_in"):
        CurveKeys.new().save(tmp_path / "keys", name)
    way_in_key = CurveKeys.load(tmp_path / "keys", "way_in").public
    metrics = "127.0.0.1:0"
    PlatformDaemon(PlatformConfig(fronts=0, metrics=metrics), tmp_path).close()
    CcerDaemon(CcerConfig(fronts=0, metrics=metrics, venue=VenueSetting()), tmp_path).close()
    with RegistryDaemon(RegistryConfig(fronts=0, metrics=metrics), tmp_path):
        settings = VenueConfig(fronts=0, metrics=metrics, way_in_keys=(way_in_key,))
        venue = VenueDaemon(settings, tmp_path)
        WayInDaemon(WayInConfig(fronts=0, metrics=metrics), tmp_path).close()
        relay_keys = CurveKeys.new()
        # Of this process, which the tests before have made large.
        settings = RelayConfig(memory_mib_max=1 << 20)
        upstream = UpstreamSought(settings.whereabouts(tmp_path))
        relay = Relay(settings, relay_keys, upstream)
        endpoints_write(tmp_path, relay, relay_keys.public)
        relay.close()
        venue.close()
    BankDaemon(BankConfig(), tmp_path, 1).close()
    return {
        path.parent.name: json.loads(path.read_text())
        for path in tmp_path.glob("*/endpoints.json")
    }


def test_every_socket_of_the_endpoints_files_is_in_the_table(endpoints):
    daemons = {"venue", "registry", "platform", "ccer", "way_in", "relay", "bank"}
    assert set(endpoints) == daemons
    sockets = {
        (daemon, name)
        for daemon, shown in endpoints.items()
        for name, value in shown.items()
        if isinstance(value, str) and ("://" in value or value.startswith("127."))
    }
    assert set(socket_rows()) == sockets


def test_the_bounds_of_the_others_are_theirs():
    """Those of venue and registry are tried: `tests/security/test_key_checks.py`."""
    for name, daemon in (("platform", PlatformDaemon), ("ccer", CcerDaemon)):
        assert message_bytes_max((name, "admin")) == REQUEST_BYTES_MAX
        assert message_bytes_max((name, "link")) == daemon.question_bytes_max
    assert message_bytes_max(("ccer", "feed")) == FEED_REQUEST_BYTES_MAX
    assert message_bytes_max(("bank", "bank")) == requests.BANK_MESSAGE_BYTES_MAX
    for name in ("market_data", "snapshot"):
        assert message_bytes_max(("relay", name)) == snapshot_service.REQUEST_BYTES_MAX


# -- Keys and commands -----------------------------------------------------------------------------


def test_every_role_is_in_the_table_of_keys():
    rows = re.findall(r"^\| (.+?) \|", page(), re.MULTILINE)
    shown = {word for row in rows for word in re.findall(r"`(\w+)`", row)}
    granted = set(Role.__args__)
    assert granted == {"trader", "canceller", "reader"}
    daemons = {"venue", "registry", "platform", "ccer", "relay", "bank"}
    persons = {*registry_roles.ROLES, *ccer_roles.ROLES, *platform_roles.ROLES}
    assert granted | persons | daemons <= shown


@pytest.mark.parametrize("typed", COMMAND.findall(page()))
def test_every_command_is_one_that_is_taken(typed):
    arguments = shlex.split(typed)
    command = typer.main.get_command(app_build(arguments))
    context = None
    while hasattr(command, "commands"):
        # Reads what belongs to the group, and leaves the rest.
        context = command.make_context(command.name, arguments, parent=context)
        name, command, arguments = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        assert command is not None, name
    command.make_context(command.name, arguments, parent=context)


@pytest.mark.parametrize("name", ["README.md", "contrib/README.md", "CHANGELOG.md"])
def test_the_page_is_found_from_where_one_would_look(name):
    assert "SECURITY.md" in (ROOT / name).read_text(encoding="utf-8")
