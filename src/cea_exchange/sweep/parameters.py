"""What may be varied, and the cell that values make: all is checked before anything is played.

    year, entities, orders_each, days, firms, profile, plan, offset_share_bp    as in [year]
    profile.NAME     a value of the market's rules
    plan.PATH        a value of the allocation plan; plan.power.PATH one of generating units' rules
    firms.NAME       a field of the firms' behaviour
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from importlib.abc import Traversable
from pathlib import Path
from typing import Any

import msgspec

from cea_exchange.domain.compliance.allocation import AllocationRules
from cea_exchange.domain.compliance.plans.plan import parse_plan
from cea_exchange.domain.compliance.ruled import load_rules
from cea_exchange.domain.profile import MarketRules, load_profile, profile_parse
from cea_exchange.domain.profile_fields import fields_of
from cea_exchange.sweep.cell import Cell, firms_hash, profile_name
from cea_exchange.sweep.libraries import toml_writer
from cea_exchange.sweep.plan_file import CommonYear, PlanError, Value
from cea_exchange.user_files.opening import text_read
from cea_exchange.year.run import firms_load
from cea_exchange.year.setting import YearSetting, offset_share_check
from cea_exchange.year.timeline import calendar_reaching, timeline

COMMON = CommonYear.__struct_fields__
KINDS = ("profile", "plan", "firms")
"""Before the dot of a parameter's name."""
RULES = {field.name: field.says.rule for field in fields_of(MarketRules)}
_COMPLIANCE = resources.files("cea_exchange.domain.compliance")


def name_check(name: str) -> None:
    """Check that something may be varied.

    Raises
    ------
    PlanError
        It may not.
    """
    kind, _, rest = name.partition(".")
    if name in COMMON or (kind == "profile" and rest in RULES):
        return
    if kind == "profile" and rest:
        raise PlanError(
            f"{name}: expected profile.NAME, NAME a value of the market's rules"
            f" ({', '.join(RULES)}), got {rest!r}"
        )
    if kind not in KINDS or not rest:
        raise PlanError(
            f"{name}: expected {', '.join(COMMON)}, profile.NAME, plan.PATH or firms.NAME,"
            f" got {name!r}"
        )


class Maker:
    """Makes cells of values.

    Parameters
    ----------
    common
        What stands where no value is given.
    folder
        In which files are looked for.
    """

    def __init__(self, common: CommonYear, folder: Path) -> None:
        self._common, self._folder = common, folder
        self._profile_text = cache(self._profile_text_of)
        self._plan_text = cache(self._plan_text_of)
        self._profile_read = cache(profile_parse)
        self._days_check = cache(_days_check)
        self._behaviour_check = cache(_behaviour_check)
        self._firms_hash = cache(firms_hash)

    def cell(self, seed: int, values: Mapping[str, Value]) -> Cell:
        """Return the cell of a seed and values.

        Raises
        ------
        ValueError
            A value is none that its parameter may have.
        """
        common = self._common_of(values)
        text = self._profile_text(common.profile, _of("profile", values))
        profile = self._profile_read(text, common.profile)
        plan = self._plan_text(common.year, common.plan, _of("plan", values))
        self._days_check(common.year, common.days, profile.calendar)
        behaviour = dict(_of("firms", values))
        self._behaviour_check(common.firms, _of("firms", values))
        offset_share_check(common.offset_share_bp)
        setting = YearSetting(
            year=common.year,
            entities=common.entities,
            seed=seed,
            orders=common.orders_each * common.entities,
            firms=common.firms,
            profile=profile_name(text),
            plan=plan,
            days=common.days,
            behaviour=behaviour,  # type: ignore[arg-type]  # whole numbers: it was checked
            offset_share_bp=common.offset_share_bp,
        )
        return Cell(setting=setting, profile=text, firms_hash=self._firms_hash(common.firms))

    def _common_of(self, values: Mapping[str, Value]) -> CommonYear:
        own = {name: value for name, value in values.items() if name in COMMON}
        return msgspec.convert(
            msgspec.structs.asdict(self._common) | own, CommonYear, strict=True
        )

    # -- the profile and the plan, as texts -------------------------------------------------------

    def _profile_text_of(self, profile: str, values: tuple[tuple[str, Value], ...]) -> str:
        """Return a profile's text; with values of one's own it is written anew."""
        beside = self._folder / profile
        text = load_profile(beside if beside.is_file() else profile).text
        if not values:
            return text
        raw = tomllib.loads(text)
        for name, value in values:
            rule = raw.get(name, {}).get("rule", RULES[name])
            raw[name] = {"value": value, "rule": rule}
        return toml_writer().dumps(raw)

    def _plan_text_of(self, year: int, plan: str, values: tuple[tuple[str, Value], ...]) -> str:
        """Return a plan's text; empty where it is the packaged one as it stands."""
        if not plan and not values:
            return ""
        file = self._folder / plan
        text = text_read(file, "an allocation plan") if plan else _packaged_plan(year)
        power = load_rules("allocation", AllocationRules, drafts=True)
        if values:
            raw = tomllib.loads(text)
            if any(path.startswith("power.") for path, _ in values):
                raw.setdefault("power", tomllib.loads(_text(_COMPLIANCE / "allocation.toml")))
            for path, value in values:
                _put(raw, f"plan.{path}", path.split("."), value)
            text = toml_writer().dumps(raw)
        years = {each.year for each in parse_plan(text, plan or f"of {year}", power)}
        if year not in years:
            raise PlanError(f"plan: expected one of {year}, got one of {sorted(years)}")
        return text


def _of(kind: str, values: Mapping[str, Value]) -> tuple[tuple[str, Value], ...]:
    before = f"{kind}."
    return tuple(
        (name.removeprefix(before), value)
        for name, value in values.items()
        if name.startswith(before)
    )


def _packaged_plan(year: int) -> str:
    for file in (_COMPLIANCE / "plans").iterdir():
        if file.name.endswith(".toml") and year in tomllib.loads(text := _text(file))["years"]:
            return text
    raise PlanError(f"plan: expected a packaged plan of {year}, got none")


def _text(file: Traversable) -> str:
    return file.read_text(encoding="utf-8")


def _put(raw: Any, name: str, path: list[str], value: Value) -> None:
    """Put a value where a path leads; of a list a part is its place, or the year it is of."""
    for part in path[:-1]:
        raw = _part(raw, name, part)
    last = path[-1]
    if not isinstance(raw, dict) or last not in raw:
        known = ", ".join(map(str, raw)) if isinstance(raw, dict) else "no parts"
        raise PlanError(f"{name}: expected one of {known}, got {last!r}")
    if isinstance(raw[last], dict | list):
        raise PlanError(f"{name}: expected the place of one value, got that of several")
    raw[last] = value


def _part(raw: Any, name: str, part: str) -> Any:
    if isinstance(raw, dict) and part in raw:
        return raw[part]
    if isinstance(raw, list) and part.isdecimal():
        for place, each in enumerate(raw):
            if int(part) in (place, each.get("year") if isinstance(each, dict) else None):
                return each
    known = raw if isinstance(raw, dict) else range(len(raw)) if isinstance(raw, list) else ()
    raise PlanError(f"{name}: expected one of {', '.join(map(str, known))}, got {part!r}")


# -- Checks ----------------------------------------------------------------------------------------


def _days_check(year: int, days: int, calendar: str) -> None:
    timeline(year, calendar_reaching(calendar, year), days)


def _behaviour_check(firms: str, behaviour: tuple[tuple[str, Value], ...]) -> None:
    given: dict[str, Any] = dict(behaviour)
    firms_load(
        YearSetting(year=0, entities=0, seed=0, orders=0, firms=firms, behaviour=given)
    )
