"""The working days of a year that the program does not know yet, as a file has them."""

YEAR_2027 = """name = "2027"
first = 2027-01-01
last = 2027-12-31
closed_weekdays = ["saturday", "sunday"]
[closures]
2027-01-01 = "New Year"
"""
