"""Proofs of cancellation: each is kept for one entity and year, used once, and never again.

    issued --reserve--> reserved --use--> used
       |                   |               |
       +-------------------+---------------+--> reversed, by order
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from cea_exchange.domain.ccer.life_cycle import LifeCycle
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.refusals import CcerRefusal


class ProofState(StrEnum):
    """Where a proof is."""

    ISSUED = "issued"
    RESERVED = "reserved"
    USED = "used"
    REVERSED = "reversed"


PROOF_LIFE = LifeCycle(
    what="proof",
    code=CcerRefusal.PROOF_TAKEN,
    steps={
        "reserve": {ProofState.ISSUED: ProofState.RESERVED},
        "use": {ProofState.RESERVED: ProofState.USED},
        "reverse": dict.fromkeys(
            (ProofState.ISSUED, ProofState.RESERVED, ProofState.USED), ProofState.REVERSED
        ),
    },
)
"""Rules: CCER-LNK-01, CCER-LNK-03."""


class Claimed(Struct, frozen=True, kw_only=True):
    """For whom a proof is, and how far its use is.

    Attributes
    ----------
    beneficiary, compliance_year
        Whose emissions of which year, from the day it was issued.
    """

    number: str
    beneficiary: str
    compliance_year: int
    state: ProofState = ProofState.ISSUED


def reserved(proof: Claimed, beneficiary: str, compliance_year: int) -> Claimed:
    """Return a proof kept for an entity and year; what is so already stays as it is.

    Raises
    ------
    ProgrammeError
        It is another's, of another year, or was reversed.

    Notes
    -----
    Rules: CCER-LNK-02 (a repeat gets the first answer, another is refused).
    """
    _claim_check(proof, beneficiary, compliance_year)
    if proof.state is ProofState.ISSUED:
        return replace(proof, state=ProofState.RESERVED)
    return proof


def used(proof: Claimed, beneficiary: str, compliance_year: int) -> Claimed:
    """Return a proof that was counted; what is so already stays as it is.

    Raises
    ------
    ProgrammeError
        It is another's, of another year, was never kept, or was reversed.

    Notes
    -----
    Rules: CCER-LNK-02.
    """
    _claim_check(proof, beneficiary, compliance_year)
    if proof.state is ProofState.USED:
        return proof
    return replace(proof, state=ProofState(PROOF_LIFE.after(proof.state, "use")))


def _claim_check(proof: Claimed, beneficiary: str, compliance_year: int) -> None:
    if proof.state is ProofState.REVERSED:
        raise ProgrammeError(
            CcerRefusal.PROOF_REVERSED,
            f"proof {proof.number}: expected one that stands, got one that was reversed",
        )
    if (proof.beneficiary, proof.compliance_year) != (beneficiary, compliance_year):
        raise ProgrammeError(
            CcerRefusal.PROOF_TAKEN,
            f"proof {proof.number}: expected {proof.beneficiary} and {proof.compliance_year}, got"
            f" {beneficiary} and {compliance_year}",
        )
