"""What a code, rule, word or setting means, from the sources that the pages are made of.

Refusals: the texts that `protocol/schema/generate.py` makes, in both languages. Rules and terms:
the pages `rules.md` and `glossary.md`, which the wheel has. Settings: the classes that read a
daemon's file. Values of the market: the packaged profiles.
"""

import difflib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module, resources
from pathlib import Path
from typing import Any, get_args

import msgspec

from cea_exchange.domain.profile import Setting, load_profile
from cea_exchange.screens.texts.catalogue import (
    RefusalText,
    refusal_texts,
    rule_texts,
    setting_texts,
    texts,
)

NEAR_MAX = 5
MARKET = "cea"
_RULE_ID = re.compile(r"[A-Z]+-[A-Z]{3}-[0-9]{2}")
_REFUSALS = {
    "Reason": ("market", "domain.enums", "reasons"),
    "VenueRefusal": ("venue", "domain.refusals.venue", "venue_refusals"),
    "RegistryRefusal": ("registry", "domain.refusals.registry", "registry_refusals"),
    "PlatformRefusal": ("platform", "domain.refusals.platform", "platform_refusals"),
    "CcerRefusal": ("ccer", "domain.refusals.ccer", "ccer_refusals"),
    "BankRefusal": ("bank", "domain.refusals.bank", "bank_refusals"),
    "InstitutionRefusal": (
        "any institution", "domain.refusals.institution", "institution_refusals",
    ),
}  # fmt: skip
"""Each enumeration: whose it is, its module, its page."""
_CONFIGS = {
    "venue": ("venue.config", "VenueConfig", "venue serve --config"),
    "registry": ("registry.config", "RegistryConfig", "registry serve --config"),
    "platform": ("platform.config", "PlatformConfig", "platform serve --config"),
    "ccer": ("ccer.config", "CcerConfig", "ccer serve --config"),
    "bank": ("simulators.bank.daemon", "BankConfig", "bank serve --config"),
    "relay": ("venue.publication.relay", "RelayConfig", "venue relay --config"),
    "way_in": ("cluster.way_in.config", "WayInConfig", "cluster way-in --config"),
    "log_node": ("cluster.log_nodes.settings", "LogNodeSettings", "cluster log serve --config"),
}
"""Each process that is set by a file: the class that reads it, the command that is given it."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one thing means.

    Attributes
    ----------
    kind
        ``refusal``, ``rule``, ``term``, ``setting`` or ``market value``.
    of
        Whose it is: the system, the heading.
    chinese
        The text in Chinese, what may be done with it; empty where nobody has written it.
    term
        The Chinese word for it.
    others
        Other words by which it is found.
    rules
        The rules that the text names, each with its sentence and source.
    """

    kind: str
    name: str
    of: str
    text: str
    chinese: str = ""
    term: str = ""
    remedy: str = ""
    source: str = ""
    others: tuple[str, ...] = ()
    rules: dict[str, str] = {}


def explained(name: str) -> list[Explanation]:
    """Return all that a name means, in each system that knows it; nothing where none does."""
    return [found for key, found in everything() if key == _key(name)]


def near(name: str) -> list[str]:
    """Return names that look like one that nothing has, the nearest first."""
    names = {key: each.name for key, each in everything()}
    found = difflib.get_close_matches(_key(name), names, NEAR_MAX, cutoff=0.6)
    # Two Chinese characters are a word.
    is_word = len(name) > 2 or not name.isascii()
    # The shorter, the nearer to what was asked.
    within = sorted((key for key in names if is_word and _key(name) in key), key=len)
    near_keys = (key if not key.isascii() else names[key] for key in [*found, *within])
    return list(dict.fromkeys(near_keys))[:NEAR_MAX]


@cache
def everything() -> tuple[tuple[str, Explanation], ...]:
    """Return each explanation by each of the keys that it is found under."""
    return tuple(
        (key, each)
        for source in (_refusals, _rules, _terms, _settings, _market_values)
        for each in source()
        for key in dict.fromkeys(map(_key, (each.name, *each.others)))
    )


def _key(name: str) -> str:
    return name.strip().casefold().replace("-", "_").replace(" ", "_")


# -- Refusals --------------------------------------------------------------------------------------


def _refusals() -> Iterator[Explanation]:
    chinese = refusal_texts("zh")
    for name, words in refusal_texts("en").items():
        enum, _, code = name.partition(".")
        system, module, page = _REFUSALS[enum]
        member = getattr(import_module(f"cea_exchange.{module}"), enum)[code]
        said = chinese.get(name, RefusalText("", ""))
        yield Explanation(
            kind="refusal",
            name=code,
            of=f"{system}, number {member}",
            text=words.meaning,
            chinese=" ".join(part for part in said if part not in ("", "-")),
            remedy=words.remedy.removeprefix("-"),
            source=f"protocol/{page}.md",
            rules=_rules_in(words.meaning),
        )


# -- Rules and words: pages ------------------------------------------------------------------------


def page(name: str) -> str:
    """Return a page of `protocol/`: of the installed package, or of the sources beside it."""
    packed = resources.files("cea_exchange.screens").joinpath(name)
    if packed.is_file():
        return packed.read_text(encoding="utf-8")
    return Path(__file__).parents[4].joinpath("protocol", name).read_text(encoding="utf-8")


def _rows(name: str) -> Iterator[tuple[str, list[str]]]:
    """Yield heading and cells of each row of a page's tables, in plain words."""
    heading = ""
    for line in page(name).splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ").replace("`", "")
        elif line.startswith("| ") and not line.startswith("|--"):
            plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", line).replace("`", "")
            yield heading, [cell.strip() for cell in plain.strip("| ").split(" | ")]


def _rules() -> Iterator[Explanation]:
    for heading, cells in _rows("rules.md"):
        if _RULE_ID.fullmatch(cells[0]):
            name, text, terms, source, confidence = cells
            yield Explanation(
                kind="rule",
                name=name,
                of=heading,
                text=text,
                chinese=rule_texts("zh").get(name, ""),
                term=terms.removeprefix("-"),
                source=f"{source}; confidence {confidence} (protocol/rules.md says what they are)",
                others=tuple(term for term in terms.split(", ") if term != "-"),
            )


@cache
def _rule_texts() -> dict[str, str]:
    return {
        each.name: f"{each.text} ({each.source.partition('; confidence')[0]})" for each in _rules()
    }


def _rules_in(text: str) -> dict[str, str]:
    return {name: _rule_texts()[name] for name in _RULE_ID.findall(text) if name in _rule_texts()}


def _terms() -> Iterator[Explanation]:
    in_chinese = rule_texts("zh")
    for _, (word, means, chinese, instead_of) in _rows("glossary.md"):
        if word == "word":
            continue
        # "tonne (t)" is found by either, "yuan, fen" too; Chinese words have brackets of their own.
        others = re.split(r"[(),]|（|）|、", f"{word},{chinese}")
        yield Explanation(
            kind="term",
            name=word,
            of="glossary",
            text=means,
            chinese=in_chinese.get(word, ""),
            term=chinese.removeprefix("-"),
            remedy="" if instead_of == "-" else f"Say it so, and not {instead_of}.",
            source="protocol/glossary.md",
            others=tuple(other.strip() for other in others if other.strip() not in ("", "-")),
        )


# -- Settings --------------------------------------------------------------------------------------


def _settings() -> Iterator[Explanation]:
    for process, (module, name, command) in _CONFIGS.items():
        config = getattr(import_module(f"cea_exchange.{module}"), name)
        yield from _fields(process, config, f"the file of `cea-exchange {command}`")


def _fields(prefix: str, config: type[msgspec.Struct], of: str) -> Iterator[Explanation]:
    words = _attributes(config)
    for field in msgspec.structs.fields(config):
        name, text = f"{prefix}.{field.name}", words.get(field.name, "See its class.")
        default = "" if field.required else f", {_default(field)} if left out"
        yield Explanation(
            kind="setting",
            name=name,
            of=of,
            text=text,
            chinese=setting_texts("zh").get(text, ""),
            source=f"{config.__module__}.{config.__qualname__}{default}",
            others=(field.name, name.partition(".")[2]),
        )
        for nested in _structs_in(field.type):
            yield from _fields(name, nested, of)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default is not msgspec.NODEFAULT:
        return "nothing" if field.default is None else repr(field.default)
    return "that of its parts"


def _structs_in(kind: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for part in get_args(kind):
        yield from _structs_in(part)


def _attributes(config: type) -> dict[str, str]:
    """Return what the docstrings of a class and of those it is made of say of its attributes."""
    words: dict[str, str] = {}
    for each in reversed(config.__mro__):
        _, _, section = (inspect.cleandoc(each.__doc__ or "")).partition("Attributes\n----------\n")
        names: list[str] = []
        for line in section.splitlines():
            if line.startswith("    "):
                for name in names:
                    words[name] = f"{words.get(name, '')} {line.strip()}".strip()
            else:
                names = [name.strip() for name in line.split(",")] if line else []
                words |= dict.fromkeys(names, "")
    return {name: text.replace("`", "") for name, text in words.items()}


def _market_values() -> Iterator[Explanation]:
    for setting in load_profile(MARKET).settings:
        yield Explanation(
            kind="market value",
            name=setting.name,
            of=f"profile {MARKET}",
            text=f"{_named('en', setting)}: {_plain(setting.value)} in the profile {MARKET}.",
            chinese=f"{_named('zh', setting)}：规则 {MARKET} 中为 {_plain(setting.value)}。",
            source=f"`cea-exchange profile show {MARKET}`",
            rules=_rules_in(setting.rule),
        )


def _named(language: str, setting: Setting) -> str:
    """Return what the screens call a value of the market."""
    kind, _, rest = setting.name.partition(" ")
    name = texts(language).get(f"setting.{kind}", setting.name)
    return name.format(time=rest, day=rest.removeprefix("from "))


def _plain(value: int | bool | str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
