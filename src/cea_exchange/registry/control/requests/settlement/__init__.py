"""What may be asked about settled money and trades: bank, defaults, claims and statements."""
