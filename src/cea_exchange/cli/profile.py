"""`cea-exchange profile`: the rules in force, as data."""

from typing import Annotated

import msgspec
import typer

from cea_exchange.cli.errors import CheckFailed, CommandError
from cea_exchange.domain.profile import Profile, ProfileError, load_profile, profile_names

Named = Annotated[str, typer.Argument(help="A packaged profile's name, or a file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    group.command("show")(show)
    group.command("check")(check)
    group.command("diff")(diff)
    app.add_typer(group, name="profile", help="The rules in force, as data.")


def show(profile: Named = "cea", json: AsJson = False) -> None:
    """Print a profile's values, each with the id of its rule."""
    loaded = _load(profile)
    if json:
        content = {
            "name": loaded.name,
            "title": loaded.title,
            "calendar": loaded.calendar,
            "hash": loaded.profile_hash(),
            "settings": loaded.settings,
        }
        typer.echo(msgspec.json.encode(content).decode())
        return
    typer.echo(f"{loaded.name}: {loaded.title}")
    typer.echo(f"calendar {loaded.calendar}, hash {loaded.profile_hash()}")
    for setting in loaded.settings:
        typer.echo(f"  {setting.name:<32} {_text(setting.value):<20} {setting.rule}")


def check(profile: Named, json: AsJson = False) -> None:
    """Read a profile strictly; say so if it can be used."""
    loaded = _load(profile)
    if json:
        content = {"name": loaded.name, "hash": loaded.profile_hash()}
        typer.echo(msgspec.json.encode(content).decode())
    else:
        typer.echo(f"{loaded.name}: {len(loaded.settings)} values, hash {loaded.profile_hash()}")


def diff(first: Named, second: Named, json: AsJson = False) -> None:
    """Print where two profiles differ; exit status 1 if they do."""
    old, new = ({s.name: s.value for s in _load(name).settings} for name in (first, second))
    names = list(dict.fromkeys([*old, *new]))
    pairs = {name: [old.get(name), new.get(name)] for name in names}
    changed = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    if json:
        typer.echo(msgspec.json.encode(changed).decode())
    else:
        for name, (before, after) in changed.items():
            typer.echo(f"  {name:<32} {_text(before):<20} {_text(after)}")
    if changed:
        raise CheckFailed(f"{first} and {second} differ in {len(changed)} values")


def _load(name: str) -> Profile:
    try:
        return load_profile(name)
    except ProfileError as error:
        raise CommandError(f"{error} (packaged: {', '.join(profile_names())})") from error


def _text(value: int | bool | str | None) -> str:
    if value is None:
        return "absent"
    return str(value).lower() if isinstance(value, bool) else str(value)
