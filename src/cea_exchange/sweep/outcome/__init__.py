"""Results of a sweep: tables, distributions, sensitivities, and the report."""
