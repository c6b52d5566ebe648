"""The roles of those who ask the platform; each request says which of them may.

Who is of an enterprise, a firm, a city or a province may ask about their own only.
"""

OPERATOR = "operator"
"""of the platform"""
AUTHORITY = "authority"
"""the competent authority of the nation"""
PROVINCE = "province"
CITY = "city"
PREPARER = "preparer"
"""of an enterprise, who enters figures"""
REVIEWER = "reviewer"
"""of an enterprise, who reviews what another one entered"""
SIGNATORY = "signatory"
"""of an enterprise, who signs its annual report"""
VERIFIER = "verifier"
"""of a firm that verifies"""
REGULATOR = "regulator"
"""may look at everything and change nothing"""

ROLES = (
    *(OPERATOR, AUTHORITY, PROVINCE, CITY, PREPARER, REVIEWER, SIGNATORY, VERIFIER, REGULATOR),
)
ENTERPRISES = (PREPARER, REVIEWER, SIGNATORY)
OFFICIALS = (OPERATOR, AUTHORITY, PROVINCE, CITY, REGULATOR)
SCOPED = frozenset({PROVINCE, CITY, VERIFIER, *ENTERPRISES})
"""Roles that see and touch only what is their own."""

OWN_BODIES = {OPERATOR: "platform", AUTHORITY: "authority", REGULATOR: "regulator"}
"""Of the roles that are for one body only."""


def enterprise_body(enterprise: str) -> str:
    """Return the body of an enterprise's persons."""
    return f"enterprise {enterprise}"


def firm_body(firm: str) -> str:
    """Return the body of a service firm's persons."""
    return f"firm {firm}"


def province_body(code: int) -> str:
    """Return the body of a province's persons."""
    return f"province {code}"


def city_body(code: int) -> str:
    """Return the body of a city's persons."""
    return f"city {code}"
