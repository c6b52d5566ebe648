"""The roles of those who ask the registry; each request says which of them may (`Request.roles`).

Provinces and the representatives of accounts may ask about their own only (`Request.bodies`). Whose
second person has to approve what is asked is in `second_persons`.
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
