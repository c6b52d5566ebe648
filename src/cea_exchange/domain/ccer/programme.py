"""The programme's terms, limits and tests, read from the packaged files."""

from importlib import resources
from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from cea_exchange.domain.compliance.offsets import OffsetRules, RegisteredTests
from cea_exchange.domain.compliance.ruled import load_rules, parse_rules
from cea_exchange.domain.ruled import Ruled

Shape = TypeVar("Shape")

Days = Ruled[Annotated[int, Meta(ge=1, le=999)]]


class ProgrammeRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Terms and limits.

    Attributes
    ----------
    design_public_days, report_public_days
        Working days in which anybody may object to a design document, to a reduction report.
    registration_days, issue_days
        Working days that the registry has from an application on.
    report_days_max
        Days that a VVB has from publication to its report.

    Notes
    -----
    Rules: CCER-PRJ-03, CCER-PRJ-04, CCER-BAT-04, CCER-BAT-05, CCER-VVB-03.
    """

    design_public_days: Days
    report_public_days: Days
    registration_days: Days
    issue_days: Days
    report_days_max: Days

    @classmethod
    def load(cls) -> "ProgrammeRules":
        """Read the packaged rules."""
        return packaged("programme", cls)


def packaged(name: str, shape: type[Shape]) -> Shape:
    """Read a packaged file of the programme, by its name without `.toml`."""
    file = resources.files(__package__).joinpath(f"{name}.toml")
    return parse_rules(file.read_text(encoding="utf-8"), shape, f"ccer {name}", drafts=True)


def eligibility() -> RegisteredTests:
    """Return the tests of projects and reductions, the ones that the allowance registry repeats."""
    return load_rules("offsets", OffsetRules, drafts=True).registered
