"""Help of the command line: panels, whole sentences, examples that can be copied."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from cea_exchange.cli.language import said

OTHERS = "Commands"
EXAMPLE = "Example:"

Panels = Mapping[str, tuple[str, ...]]
"""Headings with the names of commands below them."""


def _help_write(text: str, formatter: Any) -> None:
    """Write a help text: its paragraphs wrapped, its examples each on one line."""
    for paragraph in text.strip().split("\n\n"):
        formatter.write_paragraph()
        joined = said(" ".join(paragraph.split()))
        if joined.startswith(EXAMPLE):
            for example in joined.split(EXAMPLE)[1:]:
                formatter.write(f"  {EXAMPLE} {example.strip()}\n")
        else:
            with formatter.indentation():
                formatter.write_text(joined)


FRAME = (
    *("Usage:", "Options:", "Arguments:"),
    *("Show this message and exit.", "required]", "default:", "env var:", "Example:", "Also:"),
    *("[OPTIONS]", "COMMAND [ARGS]..."),
)
"""What the library writes about a command's own words."""


def _options_say(command: Any) -> None:
    """Let a command's options say what they are in the language that is spoken."""
    for each in command.params:
        if words := getattr(each, "help", None):
            each.help = said(words)


def _framed(help_text: str) -> str:
    for english in FRAME:
        help_text = help_text.replace(english, said(english))
    return help_text


class HelpedCommand(TyperCommand):
    """A command whose examples are not wrapped: a line that is broken is no command any more."""

    def get_help(self, ctx: Any) -> str:
        """Return the help, in the language that is spoken."""
        _options_say(self)
        return _framed(super().get_help(ctx))

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write the docstring."""
        if self.help:
            _help_write(self.help, formatter)


class PanelledGroup(TyperGroup):
    """A group that lists its commands under headings, with their whole first sentences."""

    panels: ClassVar[Panels] = {}

    def get_help(self, ctx: Any) -> str:
        """Return the help, in the language that is spoken."""
        _options_say(self)
        return _framed(super().get_help(ctx))

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what the group is."""
        if self.help:
            _help_write(self.help, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, those of no panel last."""
        names = [name for name in self.list_commands(ctx) if not self.commands[name].hidden]
        placed = {name for panel in self.panels.values() for name in panel}
        others = {OTHERS: tuple(name for name in names if name not in placed)}
        for title, listed in {**self.panels, **others}.items():
            rows = [(name, _sentence(self, ctx, name)) for name in listed if name in names]
            if rows:
                with formatter.section(said(title)):
                    formatter.write_dl(rows)


def _sentence(group: PanelledGroup, ctx: Any, name: str) -> str:
    command = group.get_command(ctx, name)
    text = (command.help or "") if command is not None else ""
    return said(" ".join(text.split("\n\n")[0].split()))


class CommandLine(typer.Typer):
    """A group of commands.

    Parameters
    ----------
    panels
        Under which headings its commands are listed; the rest comes last.
    group
        What it is as a group of commands.
    """

    def __init__(
        self,
        panels: Panels | None = None,
        group: type[PanelledGroup] = PanelledGroup,
        **options: Any,
    ) -> None:
        cls = type("Panelled", (group,), {"panels": panels or {}})
        super().__init__(cls=cls, no_args_is_help=True, rich_markup_mode=None, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        """Return what adds a function as a command."""
        return super().command(name, cls=HelpedCommand, **options)
