"""Bytes to values and back, as protocol/ at the top level specifies. No decisions."""
