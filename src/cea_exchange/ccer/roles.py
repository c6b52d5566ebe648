"""The roles of those who ask the CCER registry; each request says which of them may.

Provinces and the representatives of accounts may ask about their own only.
"""

OPERATOR = "operator"
"""of the CCER registry"""
AUTHORITY = "authority"
"""the ministry, which releases methodologies and supervises"""
PROVINCE = "province"
INITIATOR = "initiator"
"""representative of an account who proposes (发起代表)"""
APPROVER = "approver"
"""representative of an account who approves (确认代表)"""
REGULATOR = "regulator"
"""may look at everything and change nothing"""

ROLES = (OPERATOR, AUTHORITY, PROVINCE, INITIATOR, APPROVER, REGULATOR)
SCOPED = frozenset({PROVINCE, INITIATOR, APPROVER})
"""Roles that see and touch only what is their own."""
OFFICIALS = (OPERATOR, AUTHORITY, REGULATOR)
"""Roles that see whose all is."""
APPROVING = (OPERATOR, AUTHORITY, APPROVER)
"""Roles that may be a second person."""

OWN_BODIES = {OPERATOR: "ccer", AUTHORITY: "authority", REGULATOR: "regulator"}
"""Of the roles that are for one body only."""
OVERSEERS = frozenset({"ccer", "regulator"})
"""Bodies whose persons see all proposals."""


def account_body(account: str) -> str:
    """Return the body of an account's representatives."""
    return f"account {account}"


def province_body(code: int) -> str:
    """Return the body of a province's persons."""
    return f"province {code}"
