"""`cea-exchange profile`: the rules in force, as data."""

from typing import Annotated

import typer

from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.errors import CheckFailed, CommandError, bad_input
from cea_exchange.cli.language import said, said_filled, say
from cea_exchange.cli.options import PlainJson
from cea_exchange.cli.output import json_print
from cea_exchange.domain.calendar import date_parse
from cea_exchange.domain.profile import (
    Profile,
    ProfileError,
    Setting,
    load_profile,
    profile_names,
    profile_text,
)

Named = Annotated[str, typer.Argument(help="A packaged profile's name, or a file.")]
OnDate = Annotated[
    str | None, typer.Option("--date", help="Values in force on that trading day (YYYY-MM-DD).")
]


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    group = CommandLine()
    group.command("list")(names)
    group.command("show")(show)
    group.command("check")(check)
    group.command("diff")(diff)
    group.command("copy")(copy)
    app.add_typer(group, name="profile", help="The rules in force, as data.")


def names(json: PlainJson = False) -> None:
    """Print the packaged profiles: national markets, regional ones, and one without limits.

    Example: cea-exchange profile list
    """
    profiles = [_load(name) for name in profile_names()]
    if json:
        json_print([{"name": each.name, "title": each.title} | _as_of(each) for each in profiles])
        return
    for each in profiles:
        typer.echo(f"{each.name:<12} {said(each.title)}{_dated(each)}")


def show(profile: Named = "cea", date: OnDate = None, json: PlainJson = False) -> None:
    """Print a profile's values, each with the id of its rule, and what notices change.

    Example: cea-exchange profile show cea --date 2025-03-03
    """
    loaded = _load(profile)
    settings = _settings(loaded, date)
    if json:
        content = {
            "name": loaded.name,
            "title": loaded.title,
            "calendar": loaded.calendar,
            "hash": loaded.profile_hash(),
            **_as_of(loaded),
            "settings": settings,
        }
        json_print(content)
        return
    typer.echo(f"{loaded.name}: {said(loaded.title)}")
    head = say("calendar {name}, hash {hash}", name=loaded.calendar, hash=loaded.profile_hash())
    typer.echo(head + _dated(loaded))
    for setting in settings:
        line = f"  {setting.name:<32} {_text(setting.value):<20} {setting.rule}"
        remark = said("unconfirmed") if setting.unconfirmed else setting.by
        typer.echo(f"{line:<68}  {setting.confidence:<3}{remark}".rstrip())


def check(profile: Named, json: PlainJson = False) -> None:
    """Read a profile strictly; say so if it can be used."""
    loaded = _load(profile)
    if json:
        content = {
            "name": loaded.name,
            "hash": loaded.profile_hash(),
            "notices": len(loaded.notices),
        }
        json_print(content)
    else:
        count = len(loaded.notices)
        notices = say(" ({count} of them notices)", count=count) if count else ""
        values = say("{count} values{notices}", count=len(loaded.settings), notices=notices)
        typer.echo(f"{loaded.name}: {values}, hash {loaded.profile_hash()}")


def diff(first: Named, second: Named, date: OnDate = None, json: PlainJson = False) -> None:
    """Print where two profiles differ, or do on a day; exit status 1 if they do."""
    old, new = (
        {setting.name: setting.value for setting in _settings(_load(name), date)}
        for name in (first, second)
    )
    names = list(dict.fromkeys([*old, *new]))
    pairs = {name: [old.get(name), new.get(name)] for name in names}
    changed = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    if json:
        json_print(changed)
    else:
        for name, (before, after) in changed.items():
            typer.echo(f"  {name:<32} {_text(before):<20} {_text(after)}")
    if changed:
        raise CheckFailed(f"{first} and {second} differ in {len(changed)} values")


def copy(profile: Named = "cea") -> None:
    """Print a profile's file, to change and to use: `--profile` of many commands takes it.

    Example: cea-exchange profile copy cea > mine.toml
    """
    with bad_input(ProfileError):
        typer.echo(profile_text(profile), nl=False)


def _dated(profile: Profile) -> str:
    return say(", as of {day}", day=profile.as_of) if profile.as_of else ""


def _as_of(profile: Profile) -> dict[str, str]:
    """Return the day whose rules they are, where a profile says so."""
    return {"as_of": profile.as_of.isoformat()} if profile.as_of else {}


def _load(name: str) -> Profile:
    try:
        return load_profile(name)
    except ProfileError as error:
        packaged = say(" (packaged: {names})", names=", ".join(profile_names()))
        raise CommandError(said_filled(str(error)) + packaged) from error


def _settings(profile: Profile, date: str | None) -> tuple[Setting, ...]:
    if date is None:
        return profile.settings
    with bad_input(ValueError, says="--date: "):
        return profile.settings_on(date_parse(date))


def _text(value: int | bool | str | None) -> str:
    if value is None:
        return "absent"
    return str(value).lower() if isinstance(value, bool) else str(value)
