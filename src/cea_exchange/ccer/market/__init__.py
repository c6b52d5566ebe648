"""The exchange's market as the CCER registry sees it: what it is told, what it trades, delivered."""
