"""What `contrib/upgrades.md` says of commands and of the venue's last words is so."""

import re
from pathlib import Path

import cea_exchange.venue.registry_link.link as registry_link
from cea_exchange.cli.main import COMMAND_MODULES
from support.command_tree import below, command_tree
from support.places import ROOT

PAGE = (ROOT / "contrib" / "upgrades.md").read_text()
NAMED = re.compile(r"`((?:venue|registry) [a-z][a-z -]*?[a-z])(?: --| [A-Z`]|`)")


def test_a_command_that_is_named_is_there():
    there = {path for name in COMMAND_MODULES for path, _ in below(command_tree(name), name)}
    named = set(NAMED.findall(PAGE))
    assert len(named) > 5 and named <= there, named - there


def test_the_venues_last_words_are_those_of_the_program():
    source = Path(registry_link.__file__).read_text()
    for words in ("work is missing from the registry", "is not the one that was followed"):
        assert words in " ".join(source.split()) and words in " ".join(PAGE.split())
