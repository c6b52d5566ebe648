"""`cea-exchange explain`: what a refusal, a rule, a word or a setting means."""

from typing import Annotated

import typer
from msgspec import to_builtins

from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.help.explanations import Explanation, explained, near
from cea_exchange.cli.language import CHINESE, language, word
from cea_exchange.cli.options import PlainJson
from cea_exchange.cli.output import json_print


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("explain")(explain)


def explain(
    name: Annotated[
        list[str], typer.Argument(help="A code, a rule's id, a word, or a key of settings.")
    ],
    json: PlainJson = False,
) -> None:
    """Say what a refusal, a rule, a word or a setting means, and what may be done.

    Where several systems know the name, each says its own.

    Example: cea-exchange explain CASH_INSUFFICIENT

    Example: cea-exchange explain CEA-LST-02

    Example: cea-exchange explain venue.throttle_per_second
    """
    asked = " ".join(name)
    found = explained(asked)
    if not found:
        beside = ", ".join(near(asked))
        hint = f"near it: {beside}" if beside else "nothing is near it"
        raise CommandError(
            f"{asked}: expected a refusal's code, a rule's id, a word of the glossary or a key of"
            f" settings; {hint}"
        )
    if json:
        json_print([to_builtins(each) for each in found])
    else:
        typer.echo("\n\n".join(map(_shown, found)))


def _shown(each: Explanation) -> str:
    remedy = each.remedy
    if remedy and each.kind == "refusal":
        remedy = f"What may be done: {remedy}"
    # What there is in Chinese says the remedy, too; of a rule or a word it is but the term.
    is_whole = language() == CHINESE and each.kind == "refusal" and each.chinese
    texts = [each.chinese] if is_whole else [each.text, each.chinese, remedy]
    lines = [f"{each.name}  {word(each.kind)}, {each.of}", *(f"  {text}" for text in texts if text)]
    lines.append(f"  {word('Source')}: {each.source}")
    lines += [f"  {rule}: {text}" for rule, text in each.rules.items()]
    return "\n".join(lines)
