"""What enterprises hand in: quality-control plans, months, annual reports, and their evidence.

Knows the entity list.
"""
