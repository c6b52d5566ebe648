"""Commands that read what was recorded, and the rules, without a daemon."""
