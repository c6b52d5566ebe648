"""Decisions: a fine within the law, what is confiscated, who answers for it, who is barred."""

from collections.abc import Sequence
from typing import NamedTuple, get_args

from cea_exchange.domain.compliance.enforcement.offences import Measure, Penalty
from cea_exchange.domain.compliance.penalties import Traded
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import (
    TEXT_LENGTH_MAX,
    PlatformActError,
    choice_checked,
    words_checked,
)
from cea_exchange.platform.enforcement.book import Case, CaseBook
from cea_exchange.platform.enforcement.laws import Allowed, Laws
from cea_exchange.platform.record import Acting


class Answerable(NamedTuple):
    """A person who answers for an offence, and is fined.

    Attributes
    ----------
    for_life
        Whether the ban that goes with it, where the law bans, has no end.
    """

    name: str
    fine_fen: int
    for_life: bool = False


class Deciding:
    """Decides cases."""

    def __init__(self, book: CaseBook, laws: Laws) -> None:
        self._book = book
        self._record = book.record
        self._store = book.store
        self._laws = laws

    def decide(
        self,
        person: Acting,
        number: int,
        fine_fen: int,
        document: str,
        *,
        words: str,
        traded: Traded | None = None,
        persons: Sequence[Answerable] = (),
        measures: Sequence[str] = (),
    ) -> Case:
        """Decide a case within what the law allows.

        The law is that of the act's day, or a later one that is lighter; the gains are confiscated
        where it fines by gains.

        Parameters
        ----------
        words
            Why it is decided so.
        traded
            All trades of the deadline's month, where the fine goes by their mean price.
        persons
            Who answers for it; the law of the offence says whether anybody does.
        measures
            Of those that come with the fine, as ``barred_from_service``.

        Notes
        -----
        Rules: CEA-PEN-01, CEA-PEN-03, CEA-PEN-06, CEA-LAW-01 to CEA-LAW-14, CEA-LAW-19 to
        CEA-LAW-22, CEA-LAW-29.
        """
        words_checked(words, "words", TEXT_LENGTH_MAX)
        with self._record.transaction():
            case = self._book.may(number, "decide")
            history = self._book.history(number)
            allowed = self._laws.allowed(case, history, traded)
            if not allowed.fine.least <= fine_fen <= allowed.fine.most:
                raise PlatformActError(
                    PlatformRefusal.FINE_OUT_OF_RANGE,
                    f"fine: expected from {allowed.fine.least} to {allowed.fine.most} fen"
                    f" ({allowed.law}), got {fine_fen}",
                )
            self._persons_check(case, allowed.penalty, persons)
            self._measures_check(case, allowed.penalty, measures)
            self._laws.decision_check(case, history, fine_fen)
            decision_id = self._keep(case, allowed, fine_fen, document, persons, measures)
            self._book.take(
                *(case, "decide", person),
                document=document,
                words=f"{allowed.law}: {words}"[:TEXT_LENGTH_MAX],
                fen=fine_fen,
                tonnes=allowed.tonnes,
                decision_id=decision_id,
            )
            self._book.sums_set(number)
        return self._book.case(number)

    def _persons_check(
        self, case: Case, penalty: Penalty | None, persons: Sequence[Answerable]
    ) -> None:
        """Refuse persons of whom the law says nothing, and fines beyond what it says."""
        allowed = None if penalty is None else penalty.persons
        if persons and allowed is None:
            self._book.refuse(
                *(case, "no persons, as the law fines none (CEA-LAW-13)", f"{len(persons)}"),
                PlatformRefusal.PENALTY_NOT_ALLOWED,
            )
        if len({each.name for each in persons}) < len(persons):
            self._book.refuse(case, "each person once", "one twice", PlatformRefusal.TEXT_UNSOUND)
        for each in persons:
            words_checked(each.name, "person")
            assert allowed is not None
            if not allowed.least <= each.fine_fen <= allowed.most:
                raise PlatformActError(
                    PlatformRefusal.FINE_OUT_OF_RANGE,
                    f"fine of {each.name}: expected from {allowed.least} to {allowed.most} fen,"
                    f" got {each.fine_fen}",
                )
            if each.for_life and not (penalty and penalty.law.ban_years):
                self._book.refuse(
                    *(case, "no ban, as the law has none", f"one of {each.name}"),
                    PlatformRefusal.PENALTY_NOT_ALLOWED,
                )

    def _measures_check(
        self, case: Case, penalty: Penalty | None, measures: Sequence[str]
    ) -> None:
        known = () if penalty is None else penalty.law.measures
        for each in measures:
            choice_checked(each, get_args(Measure), "measure")
            if each not in known:
                self._book.refuse(
                    *(case, f"measures of {', '.join(known) or 'none'}", each),
                    PlatformRefusal.PENALTY_NOT_ALLOWED,
                )
        if "barred_from_service" in measures and not case.firm_id:
            self._book.refuse(
                case, "a firm to be barred", "an enterprise", PlatformRefusal.PENALTY_NOT_ALLOWED
            )

    def _keep(
        self,
        case: Case,
        allowed: Allowed,
        fine_fen: int,
        document: str,
        persons: Sequence[Answerable],
        measures: Sequence[str],
    ) -> int:
        penalty = allowed.penalty
        number = self._store.next_id("case_decisions", "decision_id")
        self._store.insert(
            "case_decisions (decision_id, case_id, stage, law, fine_fen, confiscated_fen,"
            " measures, tonnes, decided_on, document)",
            [
                (number, case.case_id, allowed.stage, allowed.law, fine_fen)
                + (0 if penalty is None else penalty.confiscated, ",".join(measures))
                + (allowed.tonnes, self._record.business_date(), document)
            ],
        )
        bans = "years" if penalty is not None and penalty.law.ban_years else ""
        self._store.insert(
            "case_persons (decision_id, name, fine_fen, ban)",
            [
                (number, each.name, each.fine_fen, "life" if each.for_life else bans)
                for each in persons
            ],
        )
        return number
