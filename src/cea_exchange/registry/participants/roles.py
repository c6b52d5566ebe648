"""The roles of those who ask the registry, and whom they act for.

Each request says which roles may ask it (`Request.roles`). Provinces and the representatives of
accounts may ask about their own only (`Request.bodies`). Whose second person has to approve what is
asked is in `dual_control`.
"""

OPERATOR = "operator"
"""of the registry"""
AUTHORITY = "authority"
"""the competent authority"""
PROVINCE = "province"
INITIATOR = "initiator"
"""representative of an account who proposes"""
APPROVER = "approver"
"""representative of an account who approves"""
REGULATOR = "regulator"
"""may look at everything and change nothing"""

ROLES = (OPERATOR, AUTHORITY, PROVINCE, INITIATOR, APPROVER, REGULATOR)
SCOPED = frozenset({PROVINCE, INITIATOR, APPROVER})
"""Roles that see and touch only what is their own."""

OFFICIALS = (OPERATOR, AUTHORITY, PROVINCE, REGULATOR)
APPROVING = (OPERATOR, AUTHORITY, PROVINCE, APPROVER)
"""Roles that may be a second person."""

OWN_BODIES = {OPERATOR: "registry", AUTHORITY: "authority", REGULATOR: "regulator"}
"""Of the roles that are for one body only."""


def account_body(account: str) -> str:
    """Return the body of an account's representatives."""
    return f"account {account}"


def province_body(code: int) -> str:
    """Return the body of a province's persons."""
    return f"province {code}"


def province_bodies(code: int | None) -> frozenset[str]:
    """Return the body of the province a request names; of none, nobody's in particular."""
    return frozenset() if code is None else frozenset({province_body(code)})
