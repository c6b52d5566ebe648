"""The load harness: populations, open-loop schedules, senders, reports."""
