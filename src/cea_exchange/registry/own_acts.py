"""Acts of the registry itself, without a person: their names in its record."""

from enum import StrEnum


class OwnAct(StrEnum):
    """What is done without a person."""

    DAY_BEGUN = "day_begun"
    """what ends with a day has ended"""
    BANK_ANSWERED = "bank_answered"
    """the bank's answer to a batch was taken"""
    BANK_STATED = "bank_stated"
    """a statement was fetched at the bank and read"""
    BANK_NOT_STATED = "bank_not_stated"
    """a statement was asked for and could not be read, and why"""
    PROOF_REVERSED = "proof_reversed"
    """a proof that the CCER registry reversed counts no more"""
    PLATFORM_ITEM = "platform_item"
    """an item of the management platform was posted, or refused"""
