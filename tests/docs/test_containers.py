"""The container's files name what is there, and its health check tells well from unwell."""

import re
import shlex
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import typer
import yaml

from cea_exchange.cli.main import app_build
from support.patience import patience
from support.places import ROOT

FOLDER = ROOT / "contrib" / "container"
PAGE = (ROOT / "contrib" / "containers.md").read_text(encoding="utf-8")
CONTAINERFILE = (FOLDER / "Containerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((FOLDER / "compose.yml").read_text(encoding="utf-8"))


@contextmanager
def health(status):
    """Serve `/healthz` with a status, as a daemon does; yield the address."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()
            self.wfile.write(b"the loop stands")

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def checked(address):
    return subprocess.run(
        [sys.executable, "-S", FOLDER / "healthy.py"], env={"HEALTH": address, "http_proxy": "x:1"},
        capture_output=True, text=True, timeout=30 * patience(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "ends", "said"), [(200, 0, ""), (503, 1, "not well: 503 the loop stands")]
)
def test_the_health_check_says_what_the_daemon_says(status, ends, said):
    with health(status) as address:
        done = checked(address)
    assert (done.returncode, done.stderr.strip()) == (ends, said)


def test_a_daemon_that_does_not_answer_is_not_well():
    with health(200) as address:
        pass
    done = checked(address)
    assert done.returncode == 1 and f"no answer at {address}" in done.stderr


def test_compose_runs_commands_that_there_are_with_a_health_check_each():
    assert set(COMPOSE["services"]) == {"registry", "venue"}
    addresses = {service["environment"]["HEALTH"] for service in COMPOSE["services"].values()}
    assert len(addresses) == 2
    assert all(address.rpartition(":")[2] in PAGE for address in addresses)
    for service in COMPOSE["services"].values():
        words = service["command"]
        command = typer.main.get_command(app_build(words))
        with command.make_context("cea-exchange", list(words)) as context:
            group = command.resolve_command(context, words)[1]
        assert words[1] in group.commands and words[2] == "--config"
        assert service["read_only"] and service["cap_drop"] == ["ALL"]


def test_the_image_is_made_of_files_that_are_there_or_that_the_page_brings():
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE, re.MULTILINE)
    brought = {word.rpartition("/")[2] for word in shlex.split(PAGE.partition("cp ")[2])[:1]}
    for name in " ".join(copied).split():
        assert name == "${WHEEL}" or name in brought or (FOLDER / name).is_file(), name
    assert "HEALTHCHECK" in CONTAINERFILE and "USER 10001" in CONTAINERFILE
    assert (ROOT / "contrib" / "lock" / "daemons.txt").is_file()
