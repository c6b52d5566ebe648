"""A market stepped forward and back: a past day of a venue, or the script that shows an alert."""
