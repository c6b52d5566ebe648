"""Results of a year: tables, the comparison with published figures, the report."""
