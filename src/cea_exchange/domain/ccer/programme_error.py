"""What the programme's rules say where they are not kept."""

from cea_exchange.domain.refusals import CcerRefusal


class ProgrammeError(ValueError):
    """A rule of the programme is not kept; says what was expected and what was got."""

    def __init__(self, code: CcerRefusal, words: str) -> None:
        super().__init__(words)
        self.code = code
