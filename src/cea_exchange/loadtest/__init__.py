"""The load harness: populations, open-loop schedules, recorders, reports."""
