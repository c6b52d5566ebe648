"""Published daily statistics as trading days: planned, traded, settled, and compared."""
