"""The history checker: participants' answers, compared with what the log has.

Nothing is taken from an engine's memory. The log is read from the files of each of its nodes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Command = tuple[int, int]
"""A participant, and its number for the command."""
Answer = tuple[int, int]
"""The participant's number for the command, and the command's place among all."""


@dataclass
class Verdict:
    """What was found.

    Attributes
    ----------
    acknowledged
        Answers that were looked at, each command once.
    lost, misplaced, conflicting
        Acknowledged and not there; there at another place; told two different places.
    doubled
        Commands that are in the log's history twice.
    differences
        Of the log's nodes from one another.
    """

    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    misplaced: int = 0
    conflicting: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing acknowledged was lost, doubled or reordered, on any node."""
        return not (
            self.lost or self.doubled or self.misplaced or self.conflicting or self.differences
        )

    def __str__(self) -> str:
        counts = ", ".join(
            f"{getattr(self, name):,} {name}"
            for name in ("acknowledged", "lost", "doubled", "misplaced", "conflicting")
        )
        return "; ".join([counts, *self.differences[:3]])


def history_check(
    answers: Mapping[int, Sequence[Answer]], history: Sequence[Command]
) -> Verdict:
    """Hold each participant's answers against the log's commands in their order.

    Parameters
    ----------
    answers
        By participant, what it was told, in the order it was.
    history
        The commands that count, in the log's order.
    """
    verdict = Verdict(doubled=sum(count - 1 for count in Counter(history).values()))
    places = {command: place for place, command in reversed(list(enumerate(history)))}
    for participant, received in answers.items():
        first: dict[int, int] = {}
        for number, place in received:
            if first.setdefault(number, place) != place:
                verdict.conflicting += 1
        verdict.acknowledged += len(first)
        for number, place in first.items():
            found = places.get((participant, number))
            verdict.lost += found is None
            verdict.misplaced += found is not None and found != place
    return verdict
