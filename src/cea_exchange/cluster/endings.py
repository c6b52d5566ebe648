"""How a leader ends whose writes were fenced off: nothing is released, and the process exits."""

from cea_exchange.journal.errors import JournalPoisoned


class Fenced(JournalPoisoned):
    """Another node leads: what this one wrote last was not taken. Release nothing and exit."""


class OutcomeUnknown(JournalPoisoned):
    """Whether the log took what was written last could not be found out in time. Release nothing
    and exit: the next leader finds it in the log, or not."""
