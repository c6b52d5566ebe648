"""What may be asked about obligations: surrender, offsets, carryover, and what is due when."""
