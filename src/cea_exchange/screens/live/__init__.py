"""What changes while somebody looks: the market from its public stream, and who is sent it."""
