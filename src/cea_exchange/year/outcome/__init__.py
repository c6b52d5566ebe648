"""What came of a year: tables, the comparison with what is published, the report."""
