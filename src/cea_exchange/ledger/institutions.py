"""Accounts that no participant owns: where allowances and cash come from, pass and end. Pure.

Their indexes are negative, a participant's never is; their names have a space in them, so that no
participant's can be one of them. Only the two contra accounts may hold less than nothing: they are
the other side of what comes from outside.
"""

from enum import IntEnum

from cea_exchange.domain.provinces import PROVINCES


class Institution(IntEnum):
    """Index of an institution's account; provinces have `province_account`."""

    ISSUANCE = -1
    """contra: minus the allowances that were issued"""
    BANK = -2
    """contra: minus the cash that was paid in and not paid out"""
    FEES = -3
    """fees taken"""
    RISK_RESERVE = -4
    """settlement risk reserve (结算风险准备金)"""
    AUTHORITY = -5
    """the competent authority: issues, distributes, takes what is surrendered"""
    RETIREMENT = -6
    """surrendered and retired; nothing leaves it"""
    CANCELLATION = -7
    """voluntarily cancelled (自愿注销); nothing leaves it"""
    RECALL = -8
    """recalled after the final allocation; nothing leaves it"""
    CARRYOVER = -9
    """old vintages carried over into a new one; nothing leaves it"""
    PROCEEDS = -20
    """what the authority's sales brought (有偿分配收入)"""


CONTRA = frozenset({Institution.ISSUANCE, Institution.BANK})
SINKS = frozenset(
    {
        Institution.RETIREMENT,
        Institution.CANCELLATION,
        Institution.RECALL,
        Institution.CARRYOVER,
    }
)

INSTITUTION_NAMES = {
    Institution.ISSUANCE: "issuance account",
    Institution.BANK: "bank account",
    Institution.FEES: "fee account",
    Institution.RISK_RESERVE: "risk reserve",
    Institution.AUTHORITY: "competent authority",
    Institution.RETIREMENT: "retirement account",
    Institution.CANCELLATION: "cancellation account",
    Institution.RECALL: "recall account",
    Institution.CARRYOVER: "carryover account",
    Institution.PROCEEDS: "proceeds account",
}

_PROVINCE_BASE = -100


def province_account(code: int) -> int:
    """Return the index of a province's account.

    Raises
    ------
    KeyError
        `code` is none of the 32.
    """
    return _PROVINCE_BASE - PROVINCES[code].code


def province_account_name(code: int) -> str:
    """Return the name of a province's account."""
    return f"province {PROVINCES[code].name}"
