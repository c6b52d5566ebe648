"""What was recorded, and the rules, read without a daemon."""
