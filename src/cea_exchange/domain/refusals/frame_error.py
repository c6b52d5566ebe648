"""What the venue raises where it refuses a message: a code, and the three parts of the words."""

from cea_exchange.domain.refusals.venue import VenueRefusal


class FrameError(ValueError):
    """A message is refused.

    Attributes
    ----------
    code : VenueRefusal
        Why; programs branch on it.
    expected, got, where : str
        The three parts of what the sender is answered.
    """

    def __init__(self, code: VenueRefusal, *, expected: str, got: str, where: str) -> None:
        super().__init__(f"{where}: expected {expected}, got {got}")
        self.code = code
        self.expected = expected
        self.got = got
        self.where = where
