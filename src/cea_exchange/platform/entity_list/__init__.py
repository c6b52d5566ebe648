"""Who has to report, and on which year's list who stands.

Knows the record.
"""
