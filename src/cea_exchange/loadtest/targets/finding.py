"""Targets by name, and classes of the user's: `module:Class`."""

import importlib
import os
import sys
from collections.abc import Mapping

from cea_exchange.loadtest.targets.target import Target, TargetError

TARGETS = {
    "venue": "cea_exchange.loadtest.targets.order_entry:OrderEntry",
    "fix": "cea_exchange.loadtest.targets.fix:Fix",
    "market": "cea_exchange.loadtest.targets.market:EmbeddedMarket",
    "book": "cea_exchange.loadtest.targets.book:EmbeddedBook",
}
"""The named ones. A user's class stands beside them: it is looked for where Python is started."""

EMBEDDED = frozenset({"book", "market"})
"""They run inside the process that sends, so that there is one of it."""


def target_class(name: str) -> type[Target]:
    """Return the class of a target.

    Raises
    ------
    TargetError
        There is no such name, module or class, or it is no `Target`.
    """
    place = TARGETS.get(name, name)
    module_name, colon, class_name = place.partition(":")
    if not colon or not module_name or not class_name:
        names = ", ".join(TARGETS)
        raise TargetError(f"target: expected one of {names}, or module:Class, got {name!r}")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise TargetError(f"target: expected {name} to be there: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Target)):
        raise TargetError(f"target: expected {name} to be a class below Target, got {found!r}")
    return found


def target_make(name: str, options: Mapping[str, str]) -> Target:
    """Return a target with its options.

    Raises
    ------
    TargetError
        It is not there, or takes no such options.
    """
    cls = target_class(name)
    try:
        return cls(**options)
    except TypeError as error:
        raise TargetError(f"target {name}: {error}") from error
