"""What entities owe of a year."""
