"""The venue daemon: sequence, journal, match, publish. No market rules."""
