"""`cea-exchange explain`: what a refusal, a rule, a word or a setting means."""

from typing import Annotated

import typer
from msgspec import to_builtins

from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.help.explanations import Explanation, explained, near
from cea_exchange.cli.language import CHINESE, language, said, say, word
from cea_exchange.cli.options import PlainJson
from cea_exchange.cli.output import json_print
from cea_exchange.screens.texts.catalogue import rule_texts

OF_PARTS = (
    "any institution, ", "market, ", "venue, ", "registry, ", "platform, ", "ccer, ", "bank, ",
    "number", "glossary", "profile ", "the file of ",
)  # fmt: skip
SOURCE_PARTS = (
    "confidence ", "says what they are",
    "nothing if left out", "that of its parts if left out", "if left out",
)  # fmt: skip
"""What an explanation says beside names: of whose something is, and where it stands."""


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
        expected = say("{asked}: expected a refusal's code, a rule's id, a word of the glossary or"
                       " a key of settings", asked=asked)
        hint = say("near it: {beside}", beside=beside) if beside else said("nothing is near it")
        raise CommandError(f"{expected}; {hint}")
    if json:
        json_print([to_builtins(each) for each in found])
    else:
        typer.echo("\n\n".join(map(_shown, found)))


def _shown(each: Explanation) -> str:
    is_chinese = language() == CHINESE
    remedy = each.remedy
    if remedy and each.kind == "refusal":
        remedy = f"What may be done: {remedy}"
    # What there is in Chinese says the remedy, too.
    texts = [each.chinese, each.term]
    if not (is_chinese and each.chinese):
        beside = each.chinese if each.kind == "refusal" else each.term
        texts = [each.text, beside, remedy]
    of, source = each.of, each.source
    if is_chinese:
        of = rule_texts(CHINESE).get(of) or _in_chinese(of, OF_PARTS)
        source = _in_chinese(source, SOURCE_PARTS)
    lines = [f"{each.name}  {word(each.kind)}, {of}", *(f"  {text}" for text in texts if text)]
    lines.append(f"  {word('Source')}: {source}")
    lines += [
        f"  {rule}: {rule_texts(language()).get(rule, text)}" for rule, text in each.rules.items()
    ]
    return "\n".join(lines)


def _in_chinese(text: str, parts: tuple[str, ...]) -> str:
    """Return a text with what stands between names and numbers in Chinese."""
    for english in parts:
        text = text.replace(english, said(english))
    return text
