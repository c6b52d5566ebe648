"""What daemons need before they start: keys, settings, and who may trade."""

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from cea_exchange.domain.timetable import day_start
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.registry import Registry
from cea_exchange.venue.cases.case_log import DOCUMENTS
from cea_exchange.year.firms.firm import Firm
from cea_exchange.year.institutions.ccer_exchange import PROFILE
from cea_exchange.year.institutions.systems import CCER_OPERATORS, System
from cea_exchange.year.setting import YearSetting

INSTITUTIONS: tuple[System, ...] = ("platform", "ccer", "registry")
CCER_EXCHANGE = "ccer_exchange"
"""The venue of CCERs, in a data folder of its own."""
NAMES = (*INSTITUTIONS, "bank", "venue", CCER_EXCHANGE)
KEYS = "keys"
PLAN = "plan.toml"
"""What the institutions allocate by, where it is a year's own."""
WRITTEN = (
    *(*NAMES, "journal", "events", "snapshots", "bulletins", "profiles", "archive"),
    *(DOCUMENTS, KEYS),
)
"""Folders that daemons and their preparation write into a year's."""
SILENCE_S_MAX = 3_600
"""Firms are silent for as long as nobody trades."""
_VENUE = {
    "fronts": 0,
    "relay": False,
    "session_silence_s_max": SILENCE_S_MAX,
    "heartbeat_s": 60,
    **{
        f"throttle_{whose}per_second": 0
        for whose in ("", "cancels_", "account_", "account_cancels_")
    },
}
"""Of both venues: all that is entered is this program's, one after the other."""


def cleared(folder: Path) -> None:
    """Take away what daemons have written into a year's folder: it begins anew."""
    for name in WRITTEN:
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in NAMES:
        for suffix in ("toml", "log"):
            (folder / f"{name}.{suffix}").unlink(missing_ok=True)
    (folder / PLAN).unlink(missing_ok=True)


def prepared(
    folder: Path, setting: YearSetting, registry: Registry, firms: Sequence[Firm], day: date
) -> list[CurveKeys]:
    """Make keys and settings; return the keys that firms trade with, in their order.

    Parameters
    ----------
    registry
        Open in this process, and with an account of each firm.
    day
        With which the year begins.
    """
    for name in (*NAMES, "admin", "second"):
        CurveKeys.new().save(folder / KEYS, name)
    exchange_keys = folder / CCER_EXCHANGE / KEYS
    exchange_keys.mkdir(parents=True)
    CurveKeys.load(folder / KEYS, CCER_EXCHANGE).save(exchange_keys, "venue")
    for name, lines in _settings(folder, setting).items():
        # Where orders have times of their own the day's first are before noon.
        is_timed = setting.supervised and name == "venue"
        start = day_start(day).isoformat() if is_timed else noon(day)
        clock = ["[clock]", 'kind = "manual"', f'start = "{start}"']
        (folder / f"{name}.toml").write_text("\n".join([*lines, *clock]) + "\n", encoding="utf-8")
    if setting.plan:
        (folder / PLAN).write_text(setting.plan, encoding="utf-8")
    keys = [CurveKeys.new() for _ in firms]
    with registry.transaction():
        for firm, pair in zip(firms, keys, strict=True):
            # An order is the firm's, whatever becomes of its connection.
            registry.key_grant(pair.public, firm.account, cancel_on_disconnect=False)
    return keys


def noon(day: date) -> str:
    """Return noon in Shanghai, as settings and requests have it."""
    return f"{day}T12:00:00+08:00"


def _settings(folder: Path, setting: YearSetting) -> dict[str, list[str]]:
    """Return daemon -> lines of its settings, but for its clock."""
    # Persons of all bodies are this one program: nobody could second anybody.
    institution = ["second_person = []", "fronts = 0"]
    bank = ["[bank]", f"data = {json.dumps(str(folder))}"] if setting.has_bank else []
    profile = Path(setting.profile)
    # A daemon's working folder may be another one.
    named = str(profile.resolve()) if profile.exists() else setting.profile
    keys = {
        name: CurveKeys.load(folder / KEYS, name).public
        for name in ("admin", "second", "ccer", CCER_EXCHANGE)
    }
    exchange = {
        "registry_endpoints": str(folder / "ccer" / "endpoints.json"),
        "registry_public_key": keys["ccer"],
    }
    first, second = CCER_OPERATORS
    persons = [
        f"{{name = {json.dumps(name)}, key = {json.dumps(key)}}}"
        for name, key in ((first, keys["admin"]), (second, keys["second"]))
    ]
    operators = f"operators = [{', '.join(persons)}]"
    of_exchange = {
        "endpoints": str(folder / CCER_EXCHANGE / "venue" / "endpoints.json"),
        "public_key": keys[CCER_EXCHANGE],
    }
    return {
        "platform": institution,
        "ccer": [*institution, "[venue]", *_lines(of_exchange)],
        "registry": [*institution, "[platform]", "[ccer]", *bank],
        "venue": [*_lines({"profile": named} | _VENUE), operators],
        CCER_EXCHANGE: [
            *_lines({"profile": PROFILE} | _VENUE | exchange),
            operators,
        ],
    }


def _lines(settings: Mapping[str, Any]) -> list[str]:
    # JSON's text, numbers and booleans are TOML's.
    return [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
