"""Fines of offences but unpaid allowances: of firms that report, and of those that serve them."""

import functools
from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from cea_exchange.domain.compliance.penalties import FineRange
from cea_exchange.domain.compliance.ruled import ComplianceError, load_rules
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.ruled import BasisPoints, Cited
from cea_exchange.domain.units import tonnes_check

Offence = Literal[
    "no_report", "no_disclosure", "fraud", "false_lab_report", "false_service", "obstruction"
]
Measure = Literal[
    "production_limit", "production_stop", "published_by_authority", "licence_withdrawn",
    "barred_from_service",
]  # fmt: skip
Yuan = Annotated[int, Meta(ge=1, le=100_000_000)]

_FEN = 100


class YuanRange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The least and the most, in yuan."""

    least: Yuan
    most: Yuan

    @property
    def fen(self) -> FineRange:
        """Return it in fen."""
        return FineRange(least=self.least * _FEN, most=self.most * _FEN)


class GainsFine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fine in times the unlawful gains, where these reach an amount in yuan."""

    least_times: Annotated[int, Meta(ge=1, le=100)]
    most_times: Annotated[int, Meta(ge=1, le=100)]
    reached: Yuan = field(name="from")


class Law(Cited, frozen=True, kw_only=True):
    """What an article says of an offence.

    Attributes
    ----------
    first_day, last_day
        On which days it is the law; None: it still is.
    organisation
        The fine, where `gains` does not apply.
    persons
        The fine of each person answerable; None: the text has none.
    measures, on_refusal
        What comes with the fine, and what may follow where correction is refused.
    cut
        When the next allowances are cut; of what was misreported, or on refusal by a share.
    ban_years
        For how long persons are banned; for life in serious cases.
    """

    offence: Offence
    document: str
    first_day: date = field(name="from")
    last_day: date | None = field(name="until", default=None)
    organisation: YuanRange
    gains: GainsFine | None = None
    persons: YuanRange | None = None
    measures: tuple[Measure, ...] = ()
    on_refusal: tuple[Measure, ...] = ()
    cut: Literal["misreported", "refusal"] | None = None
    cut_least_bp: BasisPoints = 10_000
    cut_most_bp: BasisPoints = 10_000
    ban_years: Annotated[int, Meta(ge=0, le=99)] = 0

    def in_force(self, day: date) -> bool:
        """Tell whether it is the law of a day."""
        return self.first_day <= day and (self.last_day is None or day <= self.last_day)


class TonnesRange(Struct, frozen=True, kw_only=True):
    """The least and the most tonnes."""

    least: int
    most: int


class Penalty(Struct, frozen=True, kw_only=True):
    """What may be decided of an offence, in fen.

    Attributes
    ----------
    law
        Under which article.
    confiscated
        The gains, where the article fines by gains.
    """

    law: Law
    organisation: FineRange
    persons: FineRange | None
    confiscated: int

    def decided(self, fine: int) -> int:
        """Return a decided fine; ComplianceError if the law does not allow it."""
        least, most = self.organisation.least, self.organisation.most
        if not least <= fine <= most:
            raise ComplianceError(
                RegistryRefusal.AMOUNT_UNSOUND,
                f"fine: expected within {least}..{most} fen, got {fine} ({self.law.rule})",
            )
        return fine


class LawsFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shape of the file of offences."""

    law: tuple[Law, ...]


@functools.cache
def laws() -> tuple[Law, ...]:
    """Return the packaged laws."""
    return load_rules("enforcement/offences", LawsFile, drafts=True).law


def penalty(offence: Offence, committed_on: date, *, gains: int = 0) -> Penalty:
    """Return what an offence costs under the law of its day.

    Parameters
    ----------
    offence : str
        What was done, or not done.
    committed_on : date
        When.
    gains : int
        What was gained by it unlawfully, in fen.

    Raises
    ------
    ComplianceError
        If no law of that day knows the offence, or gains are negative.

    Notes
    -----
    Where two articles fit, one act is fined once, by the higher.

    Persons are fined where the article says so (CEA-LAW-12), for what was not filed by none
    (CEA-LAW-13).

    Rules: CEA-LAW-01, CEA-LAW-02, CEA-LAW-09 to CEA-LAW-15, CEA-LAW-29.
    """
    if gains < 0:
        raise ComplianceError(
            RegistryRefusal.AMOUNT_UNSOUND, f"gains: expected 0 fen or more, got {gains}"
        )
    fitting = [law for law in laws() if law.offence == offence and law.in_force(committed_on)]
    if not fitting:
        raise ComplianceError(
            RegistryRefusal.DATE_OUT_OF_RANGE,
            f"day of {offence}: expected one whose law knows it, got {committed_on}",
        )
    return max(
        (_penalty(law, gains) for law in fitting),
        key=lambda each: (each.organisation.most, each.organisation.least),
    )


def lighter(offence: Offence, committed_on: date, decided_on: date, *, gains: int = 0) -> Penalty:
    """Return the penalty of an act that is decided under a later law: the lighter of the two.

    Notes
    -----
    The lighter is the one with the lower most, then the lower least. Which it is depends on the
    case; a decision stores the law it chose, and why.

    Rules: CEA-LAW-07.
    """
    return min(
        (penalty(offence, day, gains=gains) for day in (committed_on, decided_on)),
        key=lambda each: (each.organisation.most, each.organisation.least),
    )


def cut(law: Law, tonnes: int) -> TonnesRange:
    """Return the least and most tonnes by which allowances may be cut.

    Parameters
    ----------
    tonnes : int
        What was misreported, or the next year's final allocation, as the law asks.

    Raises
    ------
    ComplianceError
        If the law cuts nothing.

    Notes
    -----
    Rules: CEA-LAW-08, CEA-LAW-09, CEA-LAW-15.
    """
    if law.cut is None:
        raise ComplianceError(
            RegistryRefusal.CHOICE_UNKNOWN,
            f"cut: expected a law that cuts allowances, got {law.document} ({law.rule})",
        )
    tonnes_check(tonnes, "tonnes")
    return TonnesRange(
        least=tonnes * law.cut_least_bp // 10_000, most=tonnes * law.cut_most_bp // 10_000
    )


def _penalty(law: Law, gains: int) -> Penalty:
    fine = law.organisation.fen
    by_gains = law.gains
    if by_gains is not None and gains >= by_gains.reached * _FEN:
        fine = FineRange(least=gains * by_gains.least_times, most=gains * by_gains.most_times)
    return Penalty(
        law=law,
        organisation=fine,
        persons=None if law.persons is None else law.persons.fen,
        confiscated=gains if by_gains is not None else 0,
    )
