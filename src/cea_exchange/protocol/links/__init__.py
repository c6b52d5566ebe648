"""What the daemons of two institutions say to each other."""
